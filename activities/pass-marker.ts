import type { LastLookStep, MarkerStep, PassMarkerStep } from '../contract';
import { refuseLiftedFence } from '../postgres/fence';
import { isMarkerMet, untilMarkerMet } from '../postgres/replicate/applier';
import { emitMarker } from '../postgres/replicate/source';
import { refuseMovedCatalog, refuseUnfit } from './cutover-refusals';
import type { Run } from './support/run';

export async function emitMarkerStep({ request, database, marker }: MarkerStep, run: Run): Promise<void> {
  await emitMarker({
    source: run.endpoint('source'),
    database,
    migrationId: request.migrationId,
    marker,
    signal: run.signal,
  });
}

/** All that was committed before it is on the target then; the applier is another step's. */
export async function passMarkerStep(step: PassMarkerStep, run: Run): Promise<void> {
  await run.session('target', step.database, async (target) => {
    // an attempt before this one may have written it
    if (await isMarkerMet(target, step)) return;
    await emitMarkerStep(step, run);
    await untilMarkerMet(target, step, run.signal);
  });
}

/** What the stream does not tell is looked at beside it, so that it costs no time behind the fence. */
export async function lastLookStep(step: LastLookStep, run: Run): Promise<void> {
  const { request, database, fence, attempt } = step;
  const look = run.sessions(database, async (source, target) => {
    await refuseLiftedFence(source, request.migrationId, fence);
    await refuseUnfit(source, target, request);
    if (attempt !== undefined) await refuseMovedCatalog(source, target, attempt);
  });
  look.catch(() => undefined);
  // who writes in spite of the fence may well be who altered something, and ends this step
  await passMarkerStep(step, run);
  await look;
}
