/** Lets at most `slots` tasks run at a time; the others wait in the order they came. */
export class Limiter {
  private taken = 0;
  private readonly waiting: (() => void)[] = [];

  /** @param slots may change; see {@link admit} */
  constructor(private readonly slots: () => number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    // at once where there is a slot: the order in which tasks begin is the histories' order
    if (this.waiting.length === 0 && this.taken < this.slots()) this.taken += 1;
    else await new Promise<void>((resume) => this.waiting.push(resume));
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
      this.waiting.shift()?.();
    }
  }
}
