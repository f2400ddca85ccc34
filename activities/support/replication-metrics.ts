import { Context } from '@temporalio/activity';
import type { DatabaseStep, ReplicationProgress } from '../../contract';

/** For the worker's Prometheus endpoint. */
export function publishFigures({ request, database }: DatabaseStep, progress: ReplicationProgress): void {
  const { metricMeter } = Context.current();
  const tags = { migration: request.name, database };
  const gauges: Record<string, [number, string, string]> = {
    flexlift_replication_lag_bytes: [progress.lagBytes, 'bytes', 'WAL of the source that is not applied yet'],
    flexlift_replication_lag_seconds: [
      progress.lagSeconds,
      'seconds',
      'Age of the oldest commit not applied',
    ],
    flexlift_replication_retained_bytes: [progress.retainedBytes, 'bytes', 'WAL that the source keeps'],
    flexlift_replication_changes: [changes(progress), 'rows', 'Row changes applied since the beginning'],
    flexlift_replication_stopped_tables: [progress.stoppedTables.length, 'tables', 'Tables that are stopped'],
    flexlift_replication_proven_tables: [progress.proven.tables, 'tables', 'Tables proven equal'],
  };
  for (const [name, [value, unit, description]] of Object.entries(gauges)) {
    metricMeter.createGauge(name, 'float', unit, description).set(value, tags);
  }
}

function changes({ changes: { inserts, updates, deletes, truncates } }: ReplicationProgress): number {
  return inserts + updates + deletes + truncates;
}
