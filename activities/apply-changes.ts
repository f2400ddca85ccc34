import { Context } from '@temporalio/activity';
import type { ApplyResult, ApplyStep, Difference, MigrationRequest, ReplicationProgress } from '../contract';
import { withConnection } from '../postgres/connect';
import { catalogAtDump, DriftWatch, unpublishedTables, type DriftOptions } from '../postgres/prove';
import { applyChanges } from '../postgres/replicate/applier';
import type { Client } from 'pg';
import type { Run } from './support/run';

/** An interrupted segment ends its batch first; one that does not end within so long is broken off. Milliseconds. */
const LAST_BATCH = 20_000;

/**
 * One segment of the applier. A cancellation ends it after the batch at hand; the result says how far it came, so that
 * the next segment, on whatever worker, goes on from there.
 */
export async function applyChangesStep(step: ApplyStep, run: Run): Promise<ApplyResult> {
  const { database, segment, until } = step;
  const breakOff = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onStop = () => {
    timer = setTimeout(() => breakOff.abort(run.signal.reason), LAST_BATCH);
  };
  run.signal.addEventListener('abort', onStop, { once: true });
  try {
    return await applyChanges({
      source: run.endpoint('source'),
      target: run.endpoint('target'),
      database,
      identity: run.identity,
      predecessorPrefix: run.workPrefix,
      until,
      seconds: segment / 1000,
      stop: run.signal,
      signal: breakOff.signal,
      watchInterval: run.request.timeouts.watch,
      onWatch: until?.quietFrom === undefined ? await watchSchema(step, run) : undefined,
      onProgress: (progress) => {
        run.progress({ what: `apply changes, ${progress.lagBytes} bytes behind`, replication: progress });
        publish(step, progress);
      },
    });
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', onStop);
  }
}

/** Looks again and again whether the source's schema is still the one that was dumped, and its tables are published. */
async function watchSchema(
  { request, database }: ApplyStep,
  run: Run,
): Promise<(source: Client) => Promise<Difference[]>> {
  const target = run.endpoint('target');
  const dumped = await withConnection(target, database, run.signal, catalogAtDump);
  const watch = dumped === undefined ? undefined : new DriftWatch(dumped, driftOptions(request));
  return async (source) => [
    ...((await watch?.look(source)) ?? []),
    ...(await withConnection(target, database, run.signal, (client) =>
      unpublishedTables({ source, target: client, migrationId: request.migrationId }),
    )),
  ];
}

/** What is not migrated cannot drift. */
export function driftOptions({ noOwner, noPrivileges }: MigrationRequest): DriftOptions {
  return { ignoreOwners: noOwner, ignorePrivileges: noPrivileges };
}

/** For the worker's Prometheus endpoint. */
function publish({ request, database }: ApplyStep, progress: ReplicationProgress): void {
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
