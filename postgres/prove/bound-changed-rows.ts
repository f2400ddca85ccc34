import type { Client } from 'pg';
import { withLedger, type LedgerIdentity } from '../ledger';
import { KEYS_COMPARED } from './final-compare-plan';

export interface ChangedRowsLimits {
  /** Keys of a table that are kept as they came: a row comes with each batch that changes it. Default 2,000,000. */
  kept?: number;
  /** Of a table with more of them, so many different keys; those of one that has more are forgotten. Default {@link KEYS_COMPARED}. */
  different?: number;
}

/**
 * Keeps the ledger from growing with every change while no proof can be had: the keys of a table's changed rows are put
 * together, each once, and where even those are too many to be looked up, forgotten. Such a table is read whole, or proven
 * again, which makes a new beginning.
 */
export async function boundChangedRows(
  target: Client,
  identity: LedgerIdentity,
  { kept = 10 * KEYS_COMPARED, different = KEYS_COMPARED }: ChangedRowsLimits = {},
): Promise<void> {
  await withLedger(target, identity, () =>
    // the applier may be adding later ones meanwhile; pg_lsn has no max() below 13
    target.query(
      `WITH many AS (SELECT table_oid, (pg_catalog.array_agg(lsn ORDER BY lsn DESC))[1] AS lsn
                       FROM flexlift.changed_rows
                      GROUP BY table_oid HAVING pg_catalog.sum(pg_catalog.jsonb_array_length(keys)) > $1),
            gone AS (DELETE FROM flexlift.changed_rows c USING many
                      WHERE c.table_oid = many.table_oid AND c.lsn <= many.lsn
                  RETURNING c.table_oid, c.keys),
            named AS (SELECT table_oid, pg_catalog.jsonb_agg(key) AS keys
                        FROM (SELECT DISTINCT g.table_oid, k.key
                                FROM gone g CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(g.keys) AS k(key)) each
                       WHERE table_oid NOT IN (SELECT table_oid FROM gone WHERE keys IS NULL)
                       GROUP BY table_oid HAVING pg_catalog.count(*) <= $2)
       INSERT INTO flexlift.changed_rows (table_oid, lsn, keys)
       SELECT many.table_oid, many.lsn, named.keys FROM many LEFT JOIN named ON named.table_oid = many.table_oid`,
      [kept, different],
    ),
  );
}
