import {
  MOST_IN_PROGRESS,
  type ChangeCounts,
  type Difference,
  type ReplicationProgress,
} from '../../../contract';
import { formatLsn, type Lsn } from '../lsn';
import { addCounts, type StreamRow } from './ledger-position';
import type { SlotState } from './watched-slot';
import type { TablesOverview } from './table-states';

/** Milliseconds. */
const RATE_WINDOW = 10_000;
const GROWTH_WINDOW = 5 * 60_000;
const SAMPLES_KEPT = 300;

interface Sample {
  /** Milliseconds since 1970; of WAL positions by the source's clock. */
  at: number;
  value: number;
}

/** Turns what a run sees into the figures that a person reads. */
export class ReplicationMeter {
  drift: Difference[];
  overview: TablesOverview = { stopped: [], isRecopying: false, proven: { tables: 0, total: 0 } };
  /** Of the oldest transaction received and not committed; milliseconds since 1970. */
  oldestCommitTime: () => number | undefined = () => undefined;
  /** What the source's clock is ahead of ours, milliseconds. */
  clockOffset = 0;

  private counts: ChangeCounts;
  private ledger: Lsn;
  private reached: Lsn;
  private flushed: Lsn;
  private slot?: SlotState;
  /** Where the source's WAL ended at which time, as far as that is not reached. */
  private unreached: { lsn: Lsn; at: number }[] = [];
  private totals: Sample[];
  private retained: Sample[] = [];

  constructor(private readonly start: StreamRow) {
    this.drift = start.drift;
    this.counts = start.counts;
    this.ledger = start.lsn;
    this.reached = start.lsn;
    this.flushed = start.lsn;
    this.totals = [{ at: Date.now(), value: changesIn(start.counts) }];
  }

  /** Before anything is received, what is missing may be as old as the last transaction applied. */
  sourceStarts(flushed: Lsn): void {
    this.flushed = flushed;
    if (flushed > this.reached) this.unreached.push({ lsn: flushed, at: this.start.commitTime });
  }

  sourceEnds(flushed: Lsn): void {
    this.flushed = flushed;
    if (flushed > this.reached) this.unreached.push({ lsn: flushed, at: this.sourceNow });
    if (this.unreached.length > SAMPLES_KEPT) {
      this.unreached = this.unreached.filter((_, index) => index % 2 === 0);
    }
  }

  slotSeen(slot: SlotState): void {
    this.slot = slot;
    this.retained = [...since(this.retained, GROWTH_WINDOW), { at: Date.now(), value: slot.retainedBytes }];
  }

  committed(lsn: Lsn, counts: Partial<ChangeCounts>): void {
    this.ledger = lsn;
    this.counts = addCounts(this.counts, counts);
    this.totals = [...since(this.totals, RATE_WINDOW), { at: Date.now(), value: changesIn(this.counts) }];
    this.reach(lsn);
  }

  /** Nothing that was committed before it is missing on the target. */
  reach(lsn: Lsn): void {
    if (lsn > this.reached) this.reached = lsn;
    this.unreached = this.unreached.filter((sample) => sample.lsn > this.reached);
  }

  get isBehind(): boolean {
    return this.unreached.length > 0;
  }

  progress(): ReplicationProgress {
    return {
      at: new Date().toISOString(),
      lsn: formatLsn(this.ledger),
      lagBytes: Math.max(0, Number(this.flushed - this.reached)),
      lagSeconds: this.lagSeconds(),
      changes: this.counts,
      changesPerSecond: Math.round(this.changesPerSecond()),
      retainedBytes: this.slot?.retainedBytes ?? 0,
      retainedLimitBytes: this.slot?.retainedLimitBytes,
      secondsToLimit: this.secondsToLimit(),
      stoppedTables: this.overview.stopped.slice(0, MOST_IN_PROGRESS),
      drift: this.drift.slice(0, MOST_IN_PROGRESS),
      proven: this.overview.proven,
    };
  }

  private get sourceNow(): number {
    return Date.now() + this.clockOffset;
  }

  private lagSeconds(): number {
    const since = Math.min(this.oldestCommitTime() ?? Infinity, this.unreached[0]?.at ?? Infinity);
    if (since === Infinity) return 0;
    return Math.max(0, Math.round((this.sourceNow - since) / 100) / 10);
  }

  private changesPerSecond(): number {
    const [first] = since(this.totals, RATE_WINDOW);
    if (first === undefined) return 0;
    return (changesIn(this.counts) - first.value) / Math.max(1, (Date.now() - first.at) / 1000);
  }

  private secondsToLimit(): number | undefined {
    const limit = this.slot?.retainedLimitBytes;
    const first = this.retained[0];
    const last = this.retained.at(-1);
    if (limit === undefined || first === undefined || last === undefined) return undefined;
    if (last.value >= limit) return 0;
    const [growth, seconds] = [last.value - first.value, (last.at - first.at) / 1000];
    return growth > 0 && seconds > 0 ? Math.round(((limit - last.value) / growth) * seconds) : undefined;
  }
}

function changesIn(counts: ChangeCounts): number {
  return counts.inserts + counts.updates + counts.deletes + counts.truncates;
}

/** The samples of the window, and the last one before it, so that a rate has a beginning. */
function since(samples: Sample[], window: number): Sample[] {
  const from = Date.now() - window;
  const firstInside = samples.findIndex(({ at }) => at >= from);
  return samples.slice(firstInside < 0 ? -1 : Math.max(0, firstInside - 1));
}
