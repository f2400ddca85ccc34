import type { ApplyResult, ApplyStep } from '../contract';
import { applyChanges } from '../postgres/replicate/applier';
import { withFigures } from './support/replication-metrics';
import type { Run } from './support/run';
import { watchSchema } from './support/watch-schema';

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
    return await withFigures(
      step,
      run,
      'apply changes',
      async (onProgress) =>
        await applyChanges({
          source: run.endpoint('source'),
          target: run.endpoint('target'),
          database,
          identity: run.identity,
          // one that drains ends the segment before, too
          predecessorPrefix: run.activityPrefix,
          until,
          seconds: segment / 1000,
          stop: run.signal,
          signal: breakOff.signal,
          watchInterval: run.request.timeouts.watch,
          onWatch: until?.quietFrom === undefined ? await watchSchema(step, run) : undefined,
          onProgress,
        }),
    );
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', onStop);
  }
}
