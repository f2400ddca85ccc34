import type { MigrationRequest } from '../../contract';
import { withConnection, type Endpoint } from '../connect';
import { readLedger } from '../ledger';

/**
 * Databases that an earlier run of this very migration has released to their users: the next run is for the others.
 *
 * @returns none where it would leave nothing to migrate
 */
export async function liveDatabases(
  { target, request, signal }: { target: Endpoint; request: MigrationRequest; signal: AbortSignal },
  databases: string[],
): Promise<Set<string>> {
  const live = new Set<string>();
  if (request.generation === 1) return live;
  const { maintenanceDatabase } = target.address;
  const there = await withConnection(target, maintenanceDatabase, signal, async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_catalog.pg_database WHERE datname = ANY ($1) AND datallowconn',
      [databases],
    );
    return rows.map((row) => row.datname);
  });
  for (const database of there) {
    const ledger = await withConnection(target, database, signal, readLedger).catch(() => undefined);
    const isOurs = ledger?.migration_id === request.migrationId && ledger.generation < request.generation;
    if (isOurs && ledger.state === 'released') live.add(database);
  }
  return live.size < databases.length ? live : new Set();
}
