import type { Client } from 'pg';
import { withLedger, type LedgerIdentity } from '../ledger';
import { KEYS_COMPARED } from './final-compare-plan';

/** A row counts with each batch that changed it: many may be few. */
export const KEYS_KEPT = 10 * KEYS_COMPARED;

/**
 * Forgets which rows of a table changed where they are too many to be looked up one by one: it is read whole, or proven
 * again, which makes a new beginning. While no proof can be had the ledger would else grow with every change.
 *
 * @param most keys of a table that are kept; default {@link KEYS_KEPT}
 */
export async function boundChangedRows(
  target: Client,
  identity: LedgerIdentity,
  most = KEYS_KEPT,
): Promise<void> {
  await withLedger(target, identity, async () => {
    // the applier may be adding later ones meanwhile
    await target.query(
      `WITH many AS (SELECT table_oid, pg_catalog.max(lsn) AS lsn FROM flexlift.changed_rows
                      GROUP BY table_oid HAVING pg_catalog.sum(pg_catalog.jsonb_array_length(keys)) > $1),
            forgotten AS (DELETE FROM flexlift.changed_rows c USING many
                           WHERE c.table_oid = many.table_oid AND c.lsn <= many.lsn)
       INSERT INTO flexlift.changed_rows (table_oid, lsn, keys) SELECT table_oid, lsn, NULL FROM many`,
      [most],
    );
  });
}
