import { setTimeout as pause } from 'node:timers/promises';

/** A rate that is raised meanwhile holds after so long at most, milliseconds. */
export const LONGEST_HOLD = 500;
/** So many seconds' worth of bytes may come at once: a socket gives them in gulps. */
const BURST = 0.1;

/** Keeps bytes at a rate that may change meanwhile. */
export class Pace {
  private ahead = 0;
  private since = performance.now();

  /** @param rate bytes a second, as it is now; `undefined`: no bound */
  constructor(private readonly rate: () => number | undefined) {}

  spend(bytes: number): void {
    this.ahead = this.left() + bytes;
  }

  /** How long no more may come; milliseconds, 0 where there is no bound. */
  get wait(): number {
    this.ahead = this.left();
    const rate = this.rate();
    return rate === undefined ? 0 : Math.max(0, (this.ahead / rate - BURST) * 1_000);
  }

  /** Until more may come. */
  async held(signal: AbortSignal): Promise<void> {
    for (let { wait } = this; wait > 0; { wait } = this) {
      await pause(Math.min(wait, LONGEST_HOLD), undefined, { signal });
    }
  }

  /** Of what was spent, what the time since then has not paid for. */
  private left(): number {
    const [rate, now] = [this.rate(), performance.now()];
    const seconds = (now - this.since) / 1_000;
    this.since = now;
    return rate === undefined ? 0 : Math.max(0, this.ahead - rate * seconds);
  }
}
