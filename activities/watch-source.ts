import type { ReplicationProgress, WatchStep } from '../contract';
import { watchStream } from '../postgres/replicate/applier';
import { publishFigures } from './support/replication-metrics';
import type { Run } from './support/run';
import { watchSchema } from './support/watch-schema';

/** While nothing is applied: ends when it is cancelled, with the figures of then, or when the slot is lost. */
export async function watchSourceStep(step: WatchStep, run: Run): Promise<ReplicationProgress> {
  return await watchStream({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database: step.database,
    migrationId: step.request.migrationId,
    predecessorPrefix: run.workPrefix,
    known: step.known,
    watchInterval: run.request.timeouts.watch,
    // the target may be away
    onWatch: await watchSchema(step, run).catch(() => undefined),
    onProgress: (progress) => {
      run.progress({ what: `watch the source, ${progress.lagBytes} bytes behind`, replication: progress });
      publishFigures(step, progress);
    },
    stop: run.signal,
  });
}
