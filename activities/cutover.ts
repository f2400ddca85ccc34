import type {
  BeginCutoverStep,
  BegunCutover,
  CutoverStep,
  EntriesResult,
  EntriesStep,
  FenceStep,
  UndoneCutover,
} from '../contract';
import { lateTables } from '../postgres/copy';
import { rereadDatabaseProperties } from '../postgres/database';
import { liftFence, propertiesBehindFence, raiseFence } from '../postgres/fence';
import { beginCutover, holdCutover, withCutover } from '../postgres/ledger';
import { restoreTargetIdentities } from '../postgres/replicate/source';
import { runLate } from '../postgres/schema';
import {
  refuseAlteredPublications,
  refuseDrift,
  refuseLag,
  refusePreparedTransactions,
  refuseUnfitTables,
} from './cutover-refusals';
import { entryOptions } from './run-entries';
import { endReaders } from './support/readers';
import type { Run } from './support/run';
import { undoCutover } from './support/undo-cutover';

/**
 * Counts the attempt, then refuses it where it could not succeed as things stand: nothing was fenced then. The lag comes
 * before, for to count waits for the batch that is being applied, which may wait for others' locks.
 */
export async function beginCutoverStep(
  { request, database, maxLagBytes }: BeginCutoverStep,
  run: Run,
): Promise<BegunCutover> {
  return await run.session('target', database, (target) =>
    run.session('source', database, async (source) => {
      await refuseLag(source, target, maxLagBytes, run.signal);
      const attempt = await beginCutover(target, run.identity);
      await refuseUnfitTables(target);
      await refuseDrift(source, target, request);
      await refuseAlteredPublications(source, target, request);
      await refusePreparedTransactions(source);
      return { attempt };
    }),
  );
}

/** What is the database's own and in no schema: the last chance to read it without the fence. */
export async function rereadPropertiesStep(
  { request, database, fence, attempt }: FenceStep,
  run: Run,
): Promise<void> {
  const { noOwner, noPrivileges } = request;
  await run.sessions(database, async (source, target) => {
    await rereadDatabaseProperties({
      target,
      identity: run.identity,
      attempt,
      read: (known) => propertiesBehindFence(source, known, fence),
      noOwner,
      noPrivileges,
    });
  });
}

/** Under the attempt's hold: what is late of an attempt that was called off raises no fence. */
export async function raiseFenceStep(step: FenceStep, run: Run): Promise<void> {
  const { request, database, fence, attempt } = step;
  await run.session('target', database, async (target) => {
    await endReaders(target, request.migrationId);
    const unseen = (await lateTables(target)).filter(({ identity }) => identity === 'append');
    await withCutover(target, run.identity, attempt, () =>
      raiseFence({
        source: run.endpoint('source'),
        database,
        migrationId: request.migrationId,
        attempt,
        mode: fence,
        unseen,
        // a worker that stood still meanwhile may have lost the attempt
        confirm: () => holdCutover(target, attempt),
        signal: run.signal,
        onProgress: (what) => run.progress({ what }),
      }),
    );
  });
}

export async function liftFenceStep({ request, database, attempt }: CutoverStep, run: Run): Promise<void> {
  const { migrationId } = request;
  await run.session('source', database, (source) => liftFence(source, { migrationId, attempt }));
}

export async function runLateStep(
  { database, attempt, until }: EntriesStep & CutoverStep,
  run: Run,
): Promise<EntriesResult> {
  const { identity, signal } = run;
  return await run.session('target', database, async (client) => {
    await endReaders(client, run.request.migrationId);
    // what the source has only while it is replicated came with its schema
    await restoreTargetIdentities({
      source: run.endpoint('source'),
      target: run.endpoint('target'),
      database,
      identity,
      attempt,
      signal,
    });
    return await runLate({ client, attempt, until, ...entryOptions(run) });
  });
}

export async function undoCutoverStep({ database, attempt }: CutoverStep, run: Run): Promise<UndoneCutover> {
  return { doubtful: await undoCutover(database, attempt, run) };
}
