import type { MarkerStep, PassMarkerStep } from '../contract';
import { isMarkerMet, untilMarkerMet } from '../postgres/replicate/applier';
import { emitMarker } from '../postgres/replicate/source';
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
