import { endPredecessors, migrationPrefix } from '../../postgres/connect';
import { resetTableForRecopy, streamedTablesCopiedInAttempt } from '../../postgres/copy';
import { liftFence } from '../../postgres/fence';
import { cutoverAttempt, findTable } from '../../postgres/ledger';
import { undoLate } from '../../postgres/schema';
import { entryOptions } from '../run-entries';
import type { Run } from './run';

/**
 * Undoes an attempt that is called off: what was made for it would act on the changes to come, for triggers fire and rules
 * rewrite. Writers first.
 *
 * @returns names of the tables whose new copies are doubtful, see `UndoneCutover`
 */
export async function undoCutover(database: string, attempt: number, run: Run): Promise<string[]> {
  const { migrationId } = run.request;
  const lift = () => run.session('source', database, (source) => liftFence(source, { migrationId, attempt }));
  await lift();
  const doubtful = await run.session('target', database, async (client) => {
    // what a frozen worker has begun for the attempt would keep from calling it off
    await endPredecessors(client, migrationPrefix(migrationId));
    await undoLate({ client, attempt, ...entryOptions(run) });
    return await streamedTablesCopiedInAttempt(client, attempt);
  });
  // from now on nothing can raise it for this attempt; until now something late could have
  await lift();
  return doubtful;
}

/** Calls off what a run before this one ended in the middle of, if there was an attempt. */
export async function undoLastCutover(database: string, run: Run): Promise<void> {
  const { identity } = run;
  const attempt = await run.session('target', database, cutoverAttempt);
  if (attempt === 0) return;
  // whatever attempt it stands for: a target that was put back to an earlier state has forgotten the later ones
  await run.session('source', database, (source) => liftFence(source, { migrationId: identity.migrationId }));
  const doubtful = await undoCutover(database, attempt, run);
  await run.session('target', database, async (target) => {
    for (const name of doubtful) {
      const { oid } = await findTable(target, name);
      await resetTableForRecopy({ target, identity, tableOid: oid });
    }
  });
}
