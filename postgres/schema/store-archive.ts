import type { Client } from 'pg';
import { isDone, once, type LedgerIdentity } from '../ledger';
import { archiveRows, insertArchiveRows, type ArchiveToStore } from './archive-rows';
import { alignPublicSchema } from './public-schema';

/** The ledger's step that says that the archive is stored. */
const STORED = { kind: 'phase', key: 'dump-schema' };

export interface StoreArchive extends ArchiveToStore {
  identity: LedgerIdentity;
}

/**
 * Writes the archive's entries to the ledger, all in one transaction, with what was decided for each: its statement,
 * its phase, its table, the rule that leaves it out. From then on the ledger alone is asked. With it goes what the archive
 * cannot tell: what became of schema public on the source.
 *
 * @returns false where an archive is stored already; it stays as it is
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function storeArchive(task: StoreArchive): Promise<boolean> {
  const rows = await archiveRows(task);
  return await once(task.target, task.identity, STORED, async () => {
    await alignPublicSchema(task.source, task.target, task.options);
    await insertArchiveRows(task.target, rows);
  });
}

/** Whether a dump is needed at all. */
export async function isArchiveStored(target: Client): Promise<boolean> {
  return await isDone(target, STORED);
}
