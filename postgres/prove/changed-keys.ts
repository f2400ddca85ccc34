import type { Client } from 'pg';
import { isFew, KEYS_COMPARED } from './final-compare-plan';

/** The values of a row's key as text, in the order of the table's columns. */
export type KeyValues = string[];

/** Stands for bytes that are no UTF-8, as an SQL_ASCII database may hold them. */
const REPLACEMENT = '\ufffd';

/**
 * The keys of the rows that changed since the table's proof, each once.
 *
 * @param rows of the table at its proof, a bigint as text
 * @returns `undefined` where they are too many to be looked up, or one of them would not be found or is not known
 */
export async function changedKeys(
  target: Client,
  tableOid: number,
  rows: string,
): Promise<KeyValues[] | undefined> {
  const found = await target.query<{ key: KeyValues | null }>(
    `SELECT DISTINCT changed.key
       FROM flexlift.changed_rows r
       JOIN flexlift.proof p ON p.table_oid = r.table_oid AND r.lsn > p.lsn
       LEFT JOIN LATERAL pg_catalog.jsonb_array_elements(r.keys) AS changed(key) ON true
      WHERE r.table_oid = $1 AND (r.keys IS NULL OR changed.key IS NOT NULL)
      LIMIT ${KEYS_COMPARED + 1}`,
    [tableOid],
  );
  const keys = found.rows.flatMap(({ key }) => (key === null ? [] : [key]));
  if (keys.length < found.rows.length) return undefined;
  const areExact = !keys.some((key) => key.some((value) => value.includes(REPLACEMENT)));
  return areExact && isFew(keys.length, rows) ? keys : undefined;
}
