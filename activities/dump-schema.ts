import type { DatabaseStep } from '../contract';
import { readCatalog } from '../postgres/compare';
import { exportSnapshot } from '../postgres/copy';
import { storeCatalog } from '../postgres/prove';
import { isArchiveStored, storeArchive } from '../postgres/schema';
import { dumpArchive, type SessionsAndSnapshot } from './support/dump-archive';
import type { Run } from './support/run';
import { withAnySnapshot, withSnapshot } from './support/snapshot';

/** The schema as it stands in a snapshot of the source, entry by entry into the ledger. */
export async function dumpSchemaStep(step: DatabaseStep, run: Run): Promise<void> {
  const { database } = step;
  // asked before a snapshot is waited for: after a complete load there is none any more
  if (await run.session('target', database, isArchiveStored)) return;
  if (run.request.mode === 'Offline') {
    return await withSnapshot(run, database, {}, ({ source, target, scope }) =>
      dumpUnder(step, run, { source, target, snapshot: scope.snapshot }),
    );
  }
  await withAnySnapshot(run, database, async ({ source, target }) => {
    // what is dumped is what a later drift is measured against
    const catalog = await readCatalog(source);
    await storeCatalog(target, run.identity, catalog);
    await dumpUnder(step, run, { source, target, snapshot: await exportSnapshot(source) });
  });
}

async function dumpUnder(
  step: DatabaseStep,
  run: Run,
  { source, target, snapshot }: SessionsAndSnapshot,
): Promise<void> {
  const archive = await dumpArchive(step, run, { source, target, snapshot });
  await storeArchive({ source, target, identity: run.identity, archive, options: run.request });
}
