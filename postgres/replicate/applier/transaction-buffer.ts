import type { Lsn } from '../lsn';
import { relationsIn, type Change, type Commit, type Relation, type StreamEvent } from '../pgoutput';
import { Bell } from './bell';
import { markerOfMessage, type MarkerTable } from './marker';

interface Amount {
  changes: number;
  /** Of the changes as they were sent. */
  bytes: number;
}

/** What one batch holds at most, but for a transaction that touches more tables, and what is read ahead of it. */
export interface BatchBounds extends Amount {
  /** Different ones: each is locked with its indexes until the batch commits. Not of what is read ahead. */
  tables: number;
}

/**
 * Larger than what is written at a time, so that the target has something to do while the next is prepared: with 40,000
 * changes instead of 10,000 a backlog takes a fifth less, and the process some 20 MB more.
 */
export const BATCH_BOUNDS: BatchBounds = { changes: 40_000, bytes: 16 * 1024 ** 2, tables: 500 };

/** So much is written without waiting for more. */
const WORTHWHILE: Amount = { changes: 10_000, bytes: 4 * 1024 ** 2 };

/** A transaction of the source, or a piece of one that is larger than a batch. */
export interface TransactionPiece {
  commitLsn: Lsn;
  /** Milliseconds since 1970. */
  commitTime: number;
  changes: Change[];
  bytes: number;
  markers: readonly string[];
  /** It has earlier pieces. */
  isContinued: boolean;
  /** Where its commit record ends; absent: its next piece follows. */
  endLsn?: Lsn;
}

/**
 * Gathers the stream into transactions while a batch is written, no more than the bounds at a time: who fills it waits
 * for room, so that backpressure reaches the source.
 */
export class TransactionBuffer {
  private queue: TransactionPiece[] = [];
  private open?: TransactionPiece;
  private changes = 0;
  private bytes = 0;
  /** In the queue. */
  private markers = 0;
  private failure?: { error: unknown };
  private received: Lsn = 0n;
  private readonly arrived = new Bell();
  private readonly taken = new Bell();

  constructor(
    private readonly markerTable: MarkerTable,
    private readonly bounds: BatchBounds = BATCH_BOUNDS,
  ) {}

  add(events: StreamEvent[]): void {
    for (const event of events) this.addOne(event);
    if (events.length > 0) this.arrived.ring();
  }

  /** What was waited for will never come. */
  fail(error: unknown): void {
    this.failure ??= { error };
    this.arrived.ring();
  }

  async room(signal: AbortSignal): Promise<void> {
    while (this.isFull && !signal.aborted) await this.taken.heard(1_000);
  }

  /** Resolves when something arrives, fails or wakes, after `timeout` milliseconds at the latest. */
  async arrival(timeout: number): Promise<void> {
    if (this.failure === undefined) await this.arrived.heard(timeout);
  }

  readonly wake = (): void => this.arrived.ring();

  /**
   * All whole transactions at hand, within the bounds and in their order; or one piece of a large transaction.
   *
   * @param options.before only transactions whose commit is before it
   * @param options.marker nothing after the transaction that holds it
   * @throws whatever the buffer was failed with
   */
  take({ before, marker }: { before?: Lsn; marker?: string } = {}): TransactionPiece[] {
    if (this.failure !== undefined) throw this.failure.error;
    let count = 0;
    let changes = 0;
    let bytes = 0;
    const relations = new Set<Relation>();
    for (const piece of this.queue) {
      changes += piece.changes.length;
      bytes += piece.bytes;
      relationsIn(piece.changes, relations);
      if (before !== undefined && piece.commitLsn >= before) break;
      const { bounds } = this;
      const isTooMuch = changes > bounds.changes || bytes > bounds.bytes || relations.size > bounds.tables;
      if (count > 0 && isTooMuch) break;
      if (count > 0 && piece.endLsn === undefined) break;
      count += 1;
      if (piece.endLsn === undefined || (marker !== undefined && piece.markers.includes(marker))) break;
    }
    return this.remove(count);
  }

  /** There is something, but too little for a batch, and nothing in it that somebody waits for. */
  get isTooLittle(): boolean {
    const isAwaited = this.failure !== undefined || this.markers > 0;
    return this.queue.length > 0 && !this.isWorthwhile && !isAwaited;
  }

  /** A batch that is written without waiting for more. */
  get isWorthwhile(): boolean {
    return reaches(WORTHWHILE, this.changes, this.bytes);
  }

  /** The stream is past every commit before `lsn`, and none of them is left here. */
  hasPassed(lsn: Lsn): boolean {
    const first = this.queue[0] ?? this.open;
    return first === undefined ? this.received >= lsn : first.commitLsn >= lsn;
  }

  /** With nothing left here: all commits that end at or before it have been taken. */
  get idlePosition(): Lsn | undefined {
    return this.queue.length === 0 && this.open === undefined ? this.received : undefined;
  }

  /** Of the oldest transaction here; milliseconds since 1970. */
  get oldestCommitTime(): number | undefined {
    return (this.queue[0] ?? this.open)?.commitTime;
  }

  private get isFull(): boolean {
    return reaches(this.bounds, this.changes, this.bytes);
  }

  private addOne(event: StreamEvent): void {
    switch (event.kind) {
      case 'begin':
        this.open = emptyPiece(event.commitLsn, event.commitTime);
        break;
      case 'commit':
        this.commit(event);
        break;
      case 'position':
        this.received = event.lsn;
        break;
      case 'message':
        this.addMarker(markerOfMessage(event));
        break;
      default:
        this.addChange(event);
    }
  }

  private addMarker(marker: string | undefined): void {
    const { open } = this;
    if (marker !== undefined && open !== undefined) open.markers = [...open.markers, marker];
  }

  private addChange(change: Change): void {
    const { open } = this;
    if (open === undefined) throw new Error('a change outside of a transaction');
    const isMarker = change.kind !== 'truncate' && this.markerTable.holds(change.relation);
    if (isMarker) return this.addMarker(this.markerTable.markerOf(change));
    const bytes = change.end - change.start;
    open.changes.push(change);
    open.bytes += bytes;
    this.changes += 1;
    this.bytes += bytes;
    if (!reaches(this.bounds, open.changes.length, open.bytes)) return;
    this.enqueue(open);
    this.open = { ...emptyPiece(open.commitLsn, open.commitTime), isContinued: true };
  }

  private commit({ endLsn }: Commit): void {
    const { open } = this;
    if (open === undefined) throw new Error('a commit outside of a transaction');
    this.open = undefined;
    this.received = endLsn;
    const isEmpty = open.changes.length === 0 && open.markers.length === 0 && !open.isContinued;
    open.endLsn = endLsn;
    if (!isEmpty) this.enqueue(open);
  }

  private enqueue(piece: TransactionPiece): void {
    this.queue.push(piece);
    this.markers += piece.markers.length;
  }

  private remove(count: number): TransactionPiece[] {
    const pieces = this.queue.splice(0, count);
    for (const piece of pieces) {
      this.changes -= piece.changes.length;
      this.bytes -= piece.bytes;
      this.markers -= piece.markers.length;
    }
    if (count > 0) this.taken.ring();
    return pieces;
  }
}

export function areWorthwhile(pieces: TransactionPiece[]): boolean {
  const changes = pieces.reduce((sum, piece) => sum + piece.changes.length, 0);
  const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  return reaches(WORTHWHILE, changes, bytes);
}

function reaches(bounds: Amount, changes: number, bytes: number): boolean {
  return changes >= bounds.changes || bytes >= bounds.bytes;
}

/** One for all: hardly any transaction has a marker, and there are many transactions. */
const NO_MARKERS: readonly string[] = [];

function emptyPiece(commitLsn: Lsn, commitTime: number): TransactionPiece {
  return { commitLsn, commitTime, changes: [], bytes: 0, markers: NO_MARKERS, isContinued: false };
}
