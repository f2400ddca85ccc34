import type { ReplicationProgress, WatchStep } from '../contract';
import { watchStream } from '../postgres/replicate/applier';
import { withFigures } from './support/replication-metrics';
import type { Run } from './support/run';
import { watchSchema } from './support/watch-schema';

/** While nothing is applied: ends when it is cancelled, with the figures of then, or when the slot is lost. */
export async function watchSourceStep(step: WatchStep, run: Run): Promise<ReplicationProgress> {
  // the target may be away
  const onWatch = await watchSchema(step, run).catch(() => undefined);
  return await withFigures(step, run, 'watch the source', (onProgress) =>
    watchStream({
      source: run.endpoint('source'),
      target: run.endpoint('target'),
      database: step.database,
      migrationId: step.request.migrationId,
      predecessorPrefix: run.workPrefix,
      known: step.known,
      watchInterval: run.request.timeouts.watch,
      onWatch,
      onProgress,
      stop: run.signal,
    }),
  );
}
