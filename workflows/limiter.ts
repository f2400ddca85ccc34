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
    else await this.turn(weight);
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

  private async turn(weight: number): Promise<void> {
    await new Promise<void>((resume) => {
      const behind = this.waiting.filter((other) => other.weight >= weight).length;
      this.waiting.splice(behind, 0, { weight, resume });
    });
  }
}
