import { Context } from '@temporalio/activity';
import type { DatabaseStep, HeartbeatProgress, ReplicationProgress } from '../../contract';
import { toApplicationFailure } from './failure';
import type { Run } from './run';

/** So long after a database's last segment on this worker its figures are taken away: another may tell them. Milliseconds. */
const LINGER = 30_000;

type Tags = Record<'migration' | 'target' | 'database', string>;

/** What will take a database's figures away, unless its applier goes on here before. */
const forgetting = new Map<string, NodeJS.Timeout>();

const PRESENT: [
  name: string,
  unit: string,
  description: string,
  value: (now: ReplicationProgress) => number,
][] = [
  ['lag_bytes', 'bytes', 'WAL of the source that is not applied yet', (now) => now.lagBytes],
  ['lag_seconds', 'seconds', 'Age of the oldest commit that is not applied yet', (now) => now.lagSeconds],
  ['changes_per_second', 'rows', 'Row changes applied, over the last seconds', (now) => now.changesPerSecond],
  ['retained_bytes', 'bytes', 'WAL that the source keeps for our slot', (now) => now.retainedBytes],
  [
    'retained_limit_bytes',
    'bytes',
    'max_slot_wal_keep_size of the source, +Inf: none',
    (now) => now.retainedLimitBytes ?? Infinity,
  ],
  [
    'retained_limit_seconds',
    'seconds',
    'Until that limit is reached at the present rate, +Inf: never',
    (now) => now.secondsToLimit ?? Infinity,
  ],
  ['stopped_tables', 'tables', 'Tables whose changes are not applied', (now) => now.stoppedTables.length],
  ['drift', 'objects', "Differences of the source's schema since it was dumped", (now) => now.drift.length],
  ['proven_tables', 'tables', 'Tables proven equal while changes are applied', (now) => now.proven.tables],
  ['tables', 'tables', 'Tables that are to be proven', (now) => now.proven.total],
];

/** Runs `work`, whose figures ride in the heartbeat and stand at the worker's Prometheus endpoint. */
export async function withFigures<T>(
  step: DatabaseStep,
  run: Run,
  what: string,
  work: (onProgress: (figures: ReplicationProgress) => void) => Promise<T>,
): Promise<T> {
  const metrics = new ReplicationMetrics(Context.current().metricMeter, step);
  try {
    return await work((figures) => {
      const live: Partial<HeartbeatProgress> = { replication: figures, replicationBefore: undefined };
      run.progress({ what: `${what}, ${figures.lagBytes} bytes behind`, ...live });
      metrics.report(figures);
    });
  } catch (error) {
    if (!run.signal.aborted) metrics.failed(toApplicationFailure(error).type ?? 'Unexpected');
    throw error;
  } finally {
    metrics.ended();
  }
}

/** See docs/metrics.md. */
class ReplicationMetrics {
  private readonly tags: Tags;

  constructor(
    private readonly meter: Context['metricMeter'],
    { request, database }: DatabaseStep,
  ) {
    const { host, port } = request.target;
    this.tags = { migration: request.name, target: `${host}:${port}`, database };
  }

  report(progress: ReplicationProgress): void {
    clearTimeout(forgetting.get(this.key));
    this.setPresent((value) => value(progress));
    const { transactions, inserts, updates, deletes, truncates } = progress.changes;
    const changes = this.gauge('changes', 'rows', 'Row changes applied since the beginning, by kind');
    const kinds = { insert: inserts, update: updates, delete: deletes, truncate: truncates };
    for (const [kind, count] of Object.entries(kinds)) changes.set(count, { ...this.tags, kind });
    this.gauge('transactions', 'transactions', 'Transactions of the source applied since the beginning').set(
      transactions,
      this.tags,
    );
  }

  failed(code: string): void {
    const name = 'flexlift_replication_failures_total';
    const counter = this.meter.createCounter(
      name,
      'attempts',
      'Attempts to apply changes that failed, by code',
    );
    counter.add(1, { ...this.tags, code });
  }

  /** A series cannot be taken back: where nobody applies any more its value is no number. */
  ended(): void {
    clearTimeout(forgetting.get(this.key));
    const timer = setTimeout(() => {
      forgetting.delete(this.key);
      this.setPresent(() => NaN);
    }, LINGER);
    forgetting.set(this.key, timer.unref());
  }

  private setPresent(valueOf: (value: (now: ReplicationProgress) => number) => number): void {
    for (const [name, unit, description, value] of PRESENT) {
      this.gauge(name, unit, description).set(valueOf(value), this.tags);
    }
  }

  private gauge(name: string, unit: string, description: string) {
    return this.meter.createGauge(`flexlift_replication_${name}`, 'float', unit, description);
  }

  private get key(): string {
    return JSON.stringify(this.tags);
  }
}
