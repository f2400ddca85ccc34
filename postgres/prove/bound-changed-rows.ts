import type { Client } from 'pg';
import { withLedger, type LedgerIdentity } from '../ledger';
import { KEYS_COMPARED } from './final-compare-plan';

export interface ChangedRowsLimits {
  /** Keys of a table that are kept as they came: a row comes with each batch that changes it. Default 2,000,000. */
  kept?: number;
  /** More keys than so many are not looked through, but forgotten. Default 10,000,000. */
  lookedThrough?: number;
  /** A table of which more rows than so many changed has its keys forgotten. Default {@link KEYS_COMPARED}. */
  different?: number;
}

interface ChangedTable {
  oid: number;
  /** Of its last change. */
  lsn: string;
  /** All of its keys are known, and not too many to be looked through. */
  named: boolean;
}

/**
 * Keeps the ledger from growing with every change while no proof can be had: the keys of a table's changed rows are put
 * together, each once, and where even those are too many to be looked up, forgotten. Such a table is read whole, or proven
 * again, which makes a new beginning.
 */
export async function boundChangedRows(
  target: Client,
  identity: LedgerIdentity,
  limits: ChangedRowsLimits = {},
): Promise<void> {
  const { kept = 10 * KEYS_COMPARED, lookedThrough = 50 * KEYS_COMPARED, different = KEYS_COMPARED } = limits;
  // pg_lsn has no max() below 13
  const { rows } = await target.query<ChangedTable>(
    `SELECT table_oid AS oid, (pg_catalog.array_agg(lsn ORDER BY lsn DESC))[1]::pg_catalog.text AS lsn,
            pg_catalog.bool_and(keys IS NOT NULL)
              AND pg_catalog.sum(pg_catalog.jsonb_array_length(keys)) <= $2 AS named
       FROM flexlift.changed_rows
      GROUP BY table_oid HAVING pg_catalog.sum(pg_catalog.jsonb_array_length(keys)) > $1`,
    [kept, lookedThrough],
  );
  for (const table of rows) {
    await withLedger(target, identity, () => putTogether(target, table, different));
  }
}

/** The applier may be adding later ones meanwhile; another planner may have done the same. */
async function putTogether(target: Client, table: ChangedTable, different: number): Promise<void> {
  await target.query(
    `WITH gone AS (DELETE FROM flexlift.changed_rows WHERE table_oid = $1 AND lsn <= $2 RETURNING keys),
          known AS (SELECT DISTINCT k.key
                      FROM gone CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(CASE WHEN $3 THEN gone.keys END) AS k(key)
                     LIMIT $4::pg_catalog.int8 + 1)
     INSERT INTO flexlift.changed_rows (table_oid, lsn, keys)
     SELECT $1, $2, CASE WHEN $3 AND pg_catalog.count(*) <= $4 THEN pg_catalog.jsonb_agg(key) END
       FROM known HAVING EXISTS (SELECT FROM gone)`,
    [table.oid, table.lsn, table.named, different],
  );
}
