import type { ChangeStream } from '../pgoutput';
import { areWorthwhile, type TransactionBuffer, type TransactionPiece } from './transaction-buffer';

/** Milliseconds. */
const LONGEST_WAIT = 200;
/** After a small batch another one waits so long for more: each costs the target ten statements besides its changes. */
const BETWEEN_SMALL_BATCHES = 50;
/** While one batch follows the other, so often one waits for the target's disk, and all before it are confirmed. */
const BETWEEN_FLUSHES = 1_000;

/** When a batch begins, and whether its commit has to wait for the target's disk. */
export class BatchPace {
  private lastSmallBatch = -Infinity;
  private lastFlush = -Infinity;

  constructor(
    private readonly buffer: TransactionBuffer,
    private readonly stream: ChangeStream,
  ) {}

  /** Until a batch is worth its statements, or has waited for long enough; `isOver` ends the wait. */
  async gather(isOver: () => boolean, signal: AbortSignal): Promise<void> {
    const { buffer, stream } = this;
    const due = Math.max(this.lastSmallBatch + BETWEEN_SMALL_BATCHES, performance.now());
    while (buffer.isTooLittle && !isOver()) {
      signal.throwIfAborted();
      const wait = due - performance.now();
      if (wait <= -LONGEST_WAIT || (wait <= 0 && !stream.hasMore)) return;
      await buffer.arrival(wait > 0 ? wait : LONGEST_WAIT);
    }
  }

  /** A batch that others follow at once: one of them waits for the disk, for all. */
  get mayLinger(): boolean {
    return this.buffer.isWorthwhile && performance.now() - this.lastFlush < BETWEEN_FLUSHES;
  }

  wasWritten(pieces: TransactionPiece[], { isDurable }: { isDurable: boolean }): void {
    const now = performance.now();
    if (!areWorthwhile(pieces)) this.lastSmallBatch = now;
    if (isDurable) this.lastFlush = now;
  }
}
