interface Waiting {
  weight: number;
  resume: () => void;
}

/** Lets at most `slots` tasks run at a time; of those that wait the heaviest is next, of equal ones the first that came. */
export class Limiter {
  private taken = 0;
  private readonly waiting: Waiting[] = [];

  /** @param slots may change; see {@link admit} */
  constructor(private readonly slots: () => number) {}

  async run<T>(task: () => Promise<T>, weight = 0): Promise<T> {
    // at once where there is a slot: the order in which tasks begin is the histories' order
    if (this.waiting.length === 0 && this.taken < this.slots()) this.taken += 1;
    else await new Promise<void>((resume) => this.enqueue({ weight, resume }));
    try {
      return await task();
    } finally {
      this.taken -= 1;
      this.admit();
    }
  }

  /** To be called when there are more slots than before; those that are too many are given up as their tasks end. */
  admit(): void {
    while (this.waiting.length > 0 && this.taken < this.slots()) {
      this.taken += 1;
      this.waiting.shift()?.resume();
    }
  }

  private enqueue(task: Waiting): void {
    const before = this.waiting.filter(({ weight }) => weight >= task.weight).length;
    this.waiting.splice(before, 0, task);
  }
}
