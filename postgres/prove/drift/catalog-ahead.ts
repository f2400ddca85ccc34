import type { Client } from 'pg';
import type { Catalog, Properties } from '../../compare';
import { withCutover, type LedgerIdentity } from '../../ledger';
import { catalogMark } from './catalog-mark';
import { presentCatalog } from './drift-since';

const KIND = 'source-catalog';

interface CatalogAhead {
  /** Of before it was read. */
  mark: string;
  major: number;
  objects: [identity: string, properties: Properties][];
}

/**
 * Reads the source's catalog into the ledger while the application may write still, so that {@link sourceCatalog} need not
 * read it while it waits. Repeating it reads it anew.
 *
 * @param args.source outside of a transaction, as is the target
 * @throws FlexliftError CutoverRefused where the attempt has ended
 */
export async function readCatalogAhead(args: {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  attempt: number;
}): Promise<void> {
  const { source, target, identity, attempt } = args;
  // first the mark: what is written after it makes another one
  const mark = await catalogMark(source);
  const { major, objects } = await presentCatalog(source);
  const ahead: CatalogAhead = { mark, major, objects: [...objects] };
  await withCutover(target, identity, attempt, async () => {
    await target.query('DELETE FROM flexlift.step WHERE kind = $1', [KIND]);
    await target.query('INSERT INTO flexlift.step (kind, key, detail) VALUES ($1, $2, $3)', [
      KIND,
      String(attempt),
      JSON.stringify(ahead),
    ]);
  });
}

/**
 * The source's catalog as it is now: what was read ahead for this attempt if its mark says that nothing has changed since.
 * Without the database's own properties, which a fence changes.
 */
export async function sourceCatalog(args: {
  source: Client;
  target: Client;
  attempt: number;
}): Promise<Catalog> {
  const { source, target, attempt } = args;
  const { rows } = await target.query<{ detail: CatalogAhead }>(
    `SELECT detail FROM flexlift.step WHERE kind = $1 AND key = $2 AND detail ->> 'mark' = $3`,
    [KIND, String(attempt), await catalogMark(source)],
  );
  const ahead = rows[0]?.detail;
  if (ahead === undefined) return await presentCatalog(source);
  return { major: ahead.major, objects: new Map(ahead.objects) };
}
