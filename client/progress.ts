import type { CutoverReport, DatabaseStatus, MigrationState, Phase, ReplicationStatus } from '../contract';
import type { MigrationSnapshot } from './migration-snapshot';

/** Rates are averages over so long. Milliseconds. */
const WINDOW = 15_000;
/** A rate over less says nothing. Milliseconds. */
const SHORTEST = 1_500;

/** Steps whose heartbeats count rows that are on their way to the target. */
const COPYING = new Set(['copyPart', 'copyGroup', 'copyLargeObjects']);

/** One database, in figures that a person watches. */
export interface DatabaseProgress {
  database: string;
  state: MigrationState;
  phase: Phase;
  tables: { done: number; total: number };
  rows: number;
  /** With what is in flight. `total` is an estimate from the size of the tables; 0: not known yet. */
  bytes: { done: number; total: number };
  /** Only while it loads. */
  indexes?: { done: number; total: number };
  /** Only while rows are copied. */
  bytesPerSecond?: number;
  /** Until the rows are copied. Only while they move. */
  secondsLeft?: number;
  /** Online only, once changes are applied. */
  replication?: ReplicationStatus;
  /** The last try. */
  cutover?: CutoverReport;
  /** Bytes of what is copied anew while the rest is replicated. */
  recopy?: { done: number; total: number };
}

/** A moving average of a growing amount. */
export class RateMeter {
  private samples: { at: number; amount: number }[] = [];

  /** @param at milliseconds, growing */
  add(at: number, amount: number): void {
    const last = this.samples.at(-1);
    // what was in flight was lost with its worker, and is copied anew: the past says nothing of the rate now
    if (last !== undefined && amount < last.amount) this.samples = [];
    this.samples.push({ at, amount });
    while ((this.samples[1]?.at ?? at) <= at - WINDOW) this.samples.shift();
  }

  /** `undefined`: not known yet. */
  perSecond(): number | undefined {
    const first = this.samples[0];
    const last = this.samples.at(-1);
    if (first === undefined || last === undefined || last.at - first.at < SHORTEST) return undefined;
    return ((last.amount - first.amount) * 1_000) / (last.at - first.at);
  }
}

/** Turns snapshots, given in their order, into figures with rates. */
export class ProgressMeter {
  private readonly rates = new Map<string, RateMeter>();

  measure(snapshot: MigrationSnapshot): DatabaseProgress[] {
    const at = Date.parse(snapshot.takenAt);
    return (snapshot.status?.databases ?? []).map((status) => this.measureDatabase(at, status, snapshot));
  }

  private measureDatabase(at: number, status: DatabaseStatus, snapshot: MigrationSnapshot): DatabaseProgress {
    const { database, phase, planned, copied, replication, cutover } = status;
    const inFlight = snapshot.activities.filter(
      (activity) => activity.database === database && COPYING.has(activity.activity),
    );
    const done = copied.bytes + sum(inFlight.map(({ bytes }) => bytes));
    const figures: DatabaseProgress = {
      database,
      state: status.state,
      phase,
      tables: { done: copied.tables, total: Math.max(planned?.tables ?? 0, copied.tables) },
      rows: copied.rows + sum(inFlight.map(({ rows }) => rows)),
      bytes: { done, total: planned?.bytes ?? 0 },
      ...(replication === undefined ? {} : { replication }),
      ...(cutover === undefined ? {} : { cutover }),
    };
    const load = snapshot.loads.find((candidate) => candidate.database === database);
    if (phase === 'Replicate' && load !== undefined) {
      const inLoad = load.copied.bytes + sum(inFlight.map(({ bytes }) => bytes));
      return { ...figures, recopy: { done: inLoad, total: load.planned.bytes } };
    }
    if (phase !== 'Load' || status.state !== 'InProgress') return figures;
    const indexes = load?.indexes;
    return {
      ...figures,
      ...(indexes === undefined ? {} : { indexes: { done: indexes.built, total: indexes.total } }),
      ...this.speed(at, figures),
    };
  }

  private speed(at: number, { database, tables, bytes }: DatabaseProgress) {
    const rate = this.rates.get(database) ?? new RateMeter();
    this.rates.set(database, rate);
    rate.add(at, bytes.done);
    const bytesPerSecond = rate.perSecond();
    if (bytesPerSecond === undefined || tables.done >= tables.total) return {};
    const left = bytes.total - bytes.done;
    return bytesPerSecond > 0 && left > 0
      ? { bytesPerSecond, secondsLeft: left / bytesPerSecond }
      : { bytesPerSecond };
  }
}

/** The part of the work that is done, 0 to 1, by bytes; less than 1 as long as a table is missing. */
export function fractionDone({ tables, bytes }: Pick<DatabaseProgress, 'tables' | 'bytes'>): number {
  if (tables.total > 0 && tables.done >= tables.total) return 1;
  return bytes.total > 0 ? Math.min(bytes.done / bytes.total, 0.99) : 0;
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
