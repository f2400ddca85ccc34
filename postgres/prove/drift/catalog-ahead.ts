import type { Client } from 'pg';
import type { Catalog, Properties } from '../../compare';
import { withCutover, type LedgerIdentity } from '../../ledger';
import { catalogMark } from './catalog-mark';
import { presentCatalog } from './drift-since';

const KIND = 'source-catalog';
const COMPARED = 'compared-catalog';

/** The source's catalog as it was before the fence. */
export interface CatalogAhead {
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

/** What was read ahead for this attempt. */
export async function catalogAhead(target: Client, attempt: number): Promise<CatalogAhead | undefined> {
  const { rows } = await target.query<{ detail: CatalogAhead }>(
    'SELECT detail FROM flexlift.step WHERE kind = $1 AND key = $2',
    [KIND, String(attempt)],
  );
  return rows[0]?.detail;
}

/**
 * The source's catalog as it is now: what was read ahead, if its mark says that nothing has changed since. Without the
 * database's own properties, which a fence changes.
 *
 * @param source outside of a transaction
 * @returns the mark is one of before it was read
 */
export async function sourceCatalog(
  source: Client,
  ahead: CatalogAhead | undefined,
): Promise<{ catalog: Catalog; mark: string }> {
  const mark = await catalogMark(source);
  if (ahead?.mark !== mark) return { catalog: await presentCatalog(source), mark };
  return { catalog: { major: ahead.major, objects: new Map(ahead.objects) }, mark };
}

/** Notes which catalog of the source was compared in this attempt. */
export async function noteComparedCatalog(args: {
  target: Client;
  identity: LedgerIdentity;
  attempt: number;
  mark: string;
}): Promise<void> {
  const { target, identity, attempt, mark } = args;
  await withCutover(target, identity, attempt, () =>
    target.query(
      `INSERT INTO flexlift.step (kind, key, detail) VALUES ($1, $2, $3)
           ON CONFLICT (kind, key) DO UPDATE SET detail = EXCLUDED.detail`,
      [COMPARED, String(attempt), JSON.stringify(mark)],
    ),
  );
}

/** Whether the source's catalog has changed since it was compared in this attempt, if it was. */
export async function hasCatalogMoved(source: Client, target: Client, attempt: number): Promise<boolean> {
  const { rows } = await target.query<{ detail: string }>(
    'SELECT detail FROM flexlift.step WHERE kind = $1 AND key = $2',
    [COMPARED, String(attempt)],
  );
  const [compared] = rows;
  return compared !== undefined && compared.detail !== (await catalogMark(source));
}
