import type { MigrationStatus } from '../../client';
import type { Chaos } from './chaos';
import type { MigratedServer } from './migrated';
import type { Writers } from './writers';

const MEGABYTE = 1024 ** 2;

/** One line on how it stands, and what already tells that it will fail. */
export class Figures {
  readonly alarms = new Set<string>();
  private peakBytes = 0;
  private readonly begin = performance.now();

  constructor(
    private readonly migrated: MigratedServer,
    private readonly writers: Writers,
    private readonly chaos: Chaos,
  ) {}

  async line(): Promise<string> {
    const { writers, chaos, migrated } = this;
    const bytes = await migrated.workerBytes();
    this.peakBytes = Math.max(this.peakBytes, bytes ?? 0);
    const status = await migrated.status();
    this.look(status);
    return [
      `${((performance.now() - this.begin) / 60_000).toFixed(1)} min`,
      this.replication(status),
      `written ${writers.committed} (failed ${writers.failed})`,
      `worker killed ${chaos.kills}×, servers restarted ${chaos.restarts}×`,
      `worker ${bytes === undefined ? 'away' : `${Math.round(bytes / MEGABYTE)} MB`}, at most ${Math.round(this.peakBytes / MEGABYTE)} MB`,
    ].join('; ');
  }

  private replication(status: MigrationStatus | undefined): string {
    const database = status?.databases[0];
    const replication = database?.replication;
    if (replication === undefined) return `phase ${database?.phase ?? 'none'}`;
    const { changes, lagBytes, lagSeconds, retainedBytes, proven } = replication;
    return (
      `${replication.state}, lag ${(lagBytes / MEGABYTE).toFixed(1)} MB and ${lagSeconds.toFixed(1)} s, ` +
      `applied ${changes.inserts + changes.updates + changes.deletes} rows of ${changes.transactions} transactions, ` +
      `source keeps ${Math.round(retainedBytes / MEGABYTE)} MB, proven ${proven.tables}/${proven.total} tables`
    );
  }

  private look(status: MigrationStatus | undefined): void {
    if (status?.endedAt !== undefined) this.alarms.add(`the migration ended early as ${status.state}`);
    for (const { failure, replication } of status?.databases ?? []) {
      if (failure !== undefined) this.alarms.add(failure.sentence);
      if (replication?.failure !== undefined) this.alarms.add(replication.failure.sentence);
      for (const { table, failure } of replication?.stoppedTables ?? []) {
        this.alarms.add(`${table} was stopped: ${failure.sentence}`);
      }
      for (const { message } of replication?.drift ?? []) this.alarms.add(`drift: ${message}`);
    }
  }
}
