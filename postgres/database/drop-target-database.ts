import { FlexliftError } from '../../contract';
import { stagingDatabase } from '../catalog';
import { serverName, withConnection, type Endpoint } from '../connect';
import { readLedger, type LedgerIdentity } from '../ledger';
import { dropDatabase, findDatabase, withDatabaseLock } from './maintenance';

/**
 * Takes away what a cancelled migration made: the target database, if its ledger is this migration's and open, and
 * what is left of its making. Never a database of anybody else, never a released one, never the
 * maintenance database; what an interrupted DROP DATABASE left under its name goes too, if the user owns it. Repeating it
 * is harmless.
 *
 * @returns whether the target database was dropped by this call.
 * @throws FlexliftError LedgerForeign where a later run of this migration works there
 */
export async function dropTargetDatabase(args: {
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  signal: AbortSignal;
}): Promise<{ dropped: boolean }> {
  const { target, database, identity, signal } = args;
  return await withDatabaseLock(target, database, signal, async (maintenance) => {
    await dropDatabase(maintenance, stagingDatabase(identity.migrationId, database));
    if (database === target.address.maintenanceDatabase) return { dropped: false };
    const existing = await findDatabase(maintenance, database);
    if (existing === undefined) return { dropped: false };
    // it can only be dropped, and says no more whose it was
    const isOurs = existing.invalid ? existing.owned : await isOursAndOpen(args);
    if (!isOurs) return { dropped: false };
    await dropDatabase(maintenance, database);
    return { dropped: true };
  });
}

async function isOursAndOpen(args: {
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  signal: AbortSignal;
}): Promise<boolean> {
  const { target, database, identity, signal } = args;
  const ledger = await withConnection(target, database, signal, readLedger);
  if (ledger?.migration_id !== identity.migrationId || ledger.state !== 'open') return false;
  if (ledger.generation <= identity.generation) return true;
  throw new FlexliftError({
    code: 'LedgerForeign',
    sentence: `The migration is in its run ${ledger.generation}; this is work of run ${identity.generation}.`,
    remedy: 'Cancel the present run instead.',
    side: 'target',
    server: serverName(target.address),
    database,
  });
}
