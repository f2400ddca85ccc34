import type { LoadPlan, LoadStep } from '../contract';
import { completeScope, currentScope, hasUnlogged, snapshotLost } from '../postgres/copy';
import { isLoadComplete, remainingLoad } from '../postgres/ledger';
import type { Run } from './support/run';

/**
 * Offline: the snapshot has served once all is copied; indexes are built without it. Where something is unlogged it is
 * held until they are built, too: what a crash of the target empties is copied again under it.
 *
 * @throws FlexliftError SnapshotLost while there is no keeper: the next may find something to be copied again
 */
export async function completeScopeStep({ database }: LoadStep, run: Run): Promise<void> {
  const { identity, request } = run;
  await run.session('target', database, async (target) => {
    if (await isLoadComplete(target)) return;
    const scope = await currentScope(target, identity);
    if (scope === undefined) throw snapshotLost('No keeper holds a snapshot.');
    const left = await remainingLoad(target, { checksums: request.compare });
    if (!isCopied(left) || (await hasUnlogged(target))) return;
    await completeScope({ target, identity, scope: scope.scope });
  });
}

function isCopied({ largeTables, groups, largeObjectBatches }: LoadPlan): boolean {
  const isTableCopied = ({ parts, checksum }: LoadPlan['largeTables'][number]) =>
    parts.length === 0 && !checksum;
  return groups.length + largeObjectBatches.length === 0 && largeTables.every(isTableCopied);
}
