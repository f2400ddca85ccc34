import type { BeginCutoverStep, BegunCutover, CutoverStep, FenceStep, UndoneCutover } from '../contract';
import { endPredecessors, migrationPrefix } from '../postgres/connect';
import { streamedTablesCopiedInAttempt } from '../postgres/copy';
import { liftFence, raiseFence } from '../postgres/fence';
import { beginCutover, withCutover } from '../postgres/ledger';
import { restoreTargetIdentities } from '../postgres/replicate/source';
import { runLate, undoLate } from '../postgres/schema';
import {
  refuseAlteredPublications,
  refuseDrift,
  refuseLag,
  refusePreparedTransactions,
  refuseUnfitTables,
} from './cutover-refusals';
import { entryOptions } from './run-entries';
import type { Run } from './support/run';

/** Counts the attempt, then refuses it where it could not succeed as things stand: nothing was fenced then. */
export async function beginCutoverStep(
  { request, database, maxLagBytes }: BeginCutoverStep,
  run: Run,
): Promise<BegunCutover> {
  return await run.session('target', database, async (target) => {
    const attempt = await beginCutover(target, run.identity);
    await refuseUnfitTables(target);
    await run.session('source', database, async (source) => {
      await refuseLag(source, target, maxLagBytes, run.signal);
      await refuseDrift(source, target, request);
      await refuseAlteredPublications(source, target, request);
      await refusePreparedTransactions(source);
    });
    return { attempt };
  });
}

/** Under the attempt's hold: what is late of an attempt that was called off raises no fence. */
export async function raiseFenceStep(step: FenceStep, run: Run): Promise<void> {
  const { request, database, fence, attempt } = step;
  await run.session('target', database, (target) =>
    withCutover(target, run.identity, attempt, () =>
      raiseFence({
        source: run.endpoint('source'),
        database,
        migrationId: request.migrationId,
        mode: fence,
        signal: run.signal,
        onProgress: (what) => run.progress({ what }),
      }),
    ),
  );
}

export async function liftFenceStep({ request, database }: CutoverStep, run: Run): Promise<void> {
  await run.session('source', database, (source) => liftFence(source, request.migrationId));
}

export async function runLateStep({ database, attempt }: CutoverStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.session('target', database, async (client) => {
    // what the source has only while it is replicated came with its schema
    await restoreTargetIdentities({
      source: run.endpoint('source'),
      target: run.endpoint('target'),
      database,
      identity,
      signal,
    });
    await runLate({ client, attempt, ...entryOptions(run) });
  });
}

/** What was made for a cutover that was called off would act on the changes to come: triggers fire, rules rewrite. */
export async function undoCutoverStep(step: CutoverStep, run: Run): Promise<UndoneCutover> {
  const { request, database, attempt } = step;
  const doubtful = await run.session('target', database, async (client) => {
    // what a frozen worker has begun for the attempt would keep from calling it off
    await endPredecessors(client, migrationPrefix(request.migrationId));
    await undoLate({ client, attempt, ...entryOptions(run) });
    return await streamedTablesCopiedInAttempt(client, attempt);
  });
  // from now on nothing can raise it for this attempt; until now something late could have
  await liftFenceStep(step, run);
  return { doubtful };
}
