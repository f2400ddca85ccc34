/** Wakes whoever waits for something to change. Look first, then wait: nothing can ring in between. */
export class Bell {
  private waiting = new Set<() => void>();

  readonly ring = (): void => {
    const waiting = this.waiting;
    this.waiting = new Set();
    for (const wake of waiting) wake();
  };

  /** Resolves at the next ring, after `timeout` milliseconds at the latest. */
  async heard(timeout: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.waiting.delete(wake);
        resolve();
      }, timeout);
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.waiting.add(wake);
    });
  }
}
