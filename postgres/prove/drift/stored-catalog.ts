import type { Client } from 'pg';
import type { Catalog, Properties } from '../../compare';
import { withLedger, type LedgerIdentity } from '../../ledger';
import { withoutDatabase } from './comparable-catalog';

interface StoredCatalog {
  major: number;
  objects: [identity: string, properties: Properties][];
}

/** Keeps the source's catalog as it was in the dump's own snapshot: drift is measured against it. */
export async function storeCatalog(
  target: Client,
  identity: LedgerIdentity,
  catalog: Catalog,
): Promise<void> {
  await withLedger(target, identity, () => updateCatalog(target, catalog));
}

/** In the caller's ledger transaction; nothing has drifted from it yet. */
export async function updateCatalog(target: Client, catalog: Catalog): Promise<void> {
  const { major, objects } = withoutDatabase(catalog);
  const stored: StoredCatalog = { major, objects: [...objects] };
  const { rowCount } = await target.query(`UPDATE flexlift.stream SET catalog = $1, drift = '[]'`, [
    JSON.stringify(stored),
  ]);
  if (rowCount === 0) throw new Error('the ledger has no stream to keep a catalog with');
}

/** `undefined`: none was stored, the source was not dumped yet. */
export async function catalogAtDump(target: Client): Promise<Catalog | undefined> {
  const { rows } = await target.query<{ catalog: StoredCatalog | null }>(
    'SELECT catalog FROM flexlift.stream',
  );
  const stored = rows[0]?.catalog;
  if (stored === undefined || stored === null) return undefined;
  return { major: stored.major, objects: new Map(stored.objects) };
}
