import type { Client } from 'pg';
import { withConnection, type Endpoint } from '../connect';
import { readLedger, type LedgerIdentity } from '../ledger';
import { onThisDatabase } from './database-settings';
import { ownsDatabase } from './early-properties';
import { findDatabase, withDatabaseLock } from './maintenance';

/**
 * Until its release a database that we made lets in nobody but its owner and superusers: an application that is pointed
 * at it too early, or finds it by a list of hosts, would read what is not all there, and its writes would stay in it. The
 * release gives the source's rights. (A database that is read-only by a setting would stay so for sessions that began
 * before the release.)
 */
export async function closeDatabase(client: Client): Promise<void> {
  if (await ownsDatabase(client)) {
    await onThisDatabase(client, 'REVOKE CONNECT ON DATABASE ', ' FROM PUBLIC');
  }
}

export async function isClosed(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM pg_catalog.pg_database d
      WHERE d.datname = pg_catalog.current_database()
        AND NOT EXISTS (
              SELECT FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS a
               WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')`,
  );
  return rowCount === 1;
}

/** As CREATE DATABASE leaves it. */
export async function openDatabase(client: Client): Promise<void> {
  if (await ownsDatabase(client)) {
    await onThisDatabase(client, 'GRANT CONNECT ON DATABASE ', ' TO PUBLIC');
  }
}

/** After a cancelled migration, whose target is kept. Repeating it is harmless, as is another migration's database. */
export async function openTargetDatabase(args: {
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  signal: AbortSignal;
}): Promise<void> {
  const { target, database, identity, signal } = args;
  await withDatabaseLock(target, database, signal, async (maintenance) => {
    const existing = await findDatabase(maintenance, database);
    if (existing === undefined || existing.invalid) return;
    await withConnection(target, database, signal, async (client) => {
      const ledger = await readLedger(client);
      const isOurs =
        ledger?.migration_id === identity.migrationId && ledger.generation === identity.generation;
      if (isOurs && ledger.state === 'open' && ledger.database_created) await openDatabase(client);
    });
  });
}
