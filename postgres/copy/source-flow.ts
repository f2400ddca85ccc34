import type { Socket } from 'node:net';
import { LONGEST_HOLD, type Pace } from './pace';

/** The source is paused while more than this waits for the target's socket. */
const MOST_BYTES_WAITING = 1024 ** 2;

/** Lets the source's socket flow as far as the target takes it and the pace allows. */
export class SourceFlow {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly source: Socket,
    private readonly target: Socket,
    private readonly pace: Pace | undefined,
  ) {
    target.on('drain', this.regulate);
  }

  passed(bytes: number): void {
    this.pace?.spend(bytes);
    this.regulate();
  }

  /** The session may be used for something else. */
  end(): void {
    this.target.off('drain', this.regulate);
    clearTimeout(this.timer);
    this.source.resume();
  }

  private readonly regulate = (): void => {
    const hold = this.pace?.wait ?? 0;
    if (hold > 0) {
      this.source.pause();
      this.timer ??= setTimeout(this.look, Math.min(hold, LONGEST_HOLD));
    } else if (this.target.writableLength > MOST_BYTES_WAITING) {
      this.source.pause();
    } else if (this.source.isPaused()) {
      this.source.resume();
    }
  };

  private readonly look = (): void => {
    this.timer = undefined;
    this.regulate();
  };
}
