import type { Client } from 'pg';
import { groupBy } from '../catalog';
import { withLedger, type LedgerIdentity } from '../ledger';
import { resetTables } from './reset-tables';
import { snapshotLost } from './scope';

/** Of the locks that the target's server has room for: others need some at the same time. */
const SHARE_OF_LOCKS = 0.5;

/**
 * Does what {@link resetTables} does in as many transactions as the target's lock table asks for: TRUNCATE locks a table,
 * its TOAST table and all of their indexes until it commits.
 *
 * @param args.isWanted asked in each of the transactions, in which no scope can be opened: whether its tables are still to
 *   be reset. It has to be false, or to throw, as soon as something may have been copied again.
 */
export async function resetInBatches(args: {
  target: Client;
  identity: LedgerIdentity;
  tables: { oid: number }[];
  isWanted: () => Promise<boolean>;
}): Promise<void> {
  const { target, identity, tables, isWanted } = args;
  if (tables.length === 0) return;
  for (const batch of await batchesByLocks(target, tables)) {
    await withLedger(target, identity, async () => {
      // until the commit no keeper opens one
      await target.query('LOCK TABLE flexlift.scope IN SHARE ROW EXCLUSIVE MODE');
      if (await isWanted()) await resetTables(target, batch);
    });
  }
}

/** @throws FlexliftError SnapshotLost where one is open or complete: something may have been copied under it */
export async function refuseOpenScope(target: Client): Promise<true> {
  const { rowCount } = await target.query(`SELECT FROM flexlift.scope WHERE state <> 'dead' LIMIT 1`);
  if (rowCount !== 0) throw snapshotLost('Another keeper has opened its snapshot meanwhile.');
  return true;
}

// how much room there is: https://www.postgresql.org/docs/current/runtime-config-locks.html
const BATCHES = `
  WITH room AS (
    SELECT $2::float8 * pg_catalog.current_setting('max_locks_per_transaction')::int8
             * pg_catalog.current_setting('max_connections')::int8 AS locks),
  needed AS (
    SELECT t.table_oid AS oid,
           (SELECT 3 + pg_catalog.count(i.indexrelid)
              FROM pg_catalog.pg_namespace n
              JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
              LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
             WHERE n.nspname = t.schema_name) AS locks
      FROM flexlift.table_load t WHERE t.table_oid = ANY ($1::oid[]))
  SELECT n.oid,
         pg_catalog.floor(pg_catalog.sum(n.locks) OVER (ORDER BY n.oid) / room.locks)::int4 AS batch
    FROM needed n CROSS JOIN room
   ORDER BY n.oid`;

async function batchesByLocks(target: Client, tables: { oid: number }[]): Promise<{ oid: number }[][]> {
  const { rows } = await target.query<{ oid: number; batch: number }>(BATCHES, [
    tables.map((table) => table.oid),
    SHARE_OF_LOCKS,
  ]);
  return [...groupBy(rows, (row) => row.batch).values()];
}
