import type { Client } from 'pg';
import { withLedger, type LedgerIdentity } from '../ledger';
import { snapshotLost } from './scope';

/** What stands in the way of completing a scope. */
export interface ScopeCompletion {
  complete: boolean;
  /** Not wholly copied under this scope; of a group: not copied. */
  tables: { oid: number; schema: string; name: string }[];
  largeObjectBatches: number[];
}

// what a group copied under its earlier scopes stays as it is: each of its tables has one part and its own LSN
const TABLES_LEFT = `
  SELECT t.table_oid AS oid, t.schema_name AS schema, t.table_name AS name
    FROM flexlift.table_load t
    JOIN flexlift.scope s ON s.scope = $1
     AND COALESCE(t.table_oid = s.table_oid, t.group_number = s.group_number,
                  s.table_oid IS NULL AND s.group_number IS NULL)
   WHERE EXISTS (SELECT FROM flexlift.part p
                  WHERE p.table_oid = t.table_oid
                    AND (p.copied_at IS NULL OR (s.group_number IS NULL AND p.scope IS DISTINCT FROM s.scope)))
   ORDER BY t.estimated_bytes DESC, t.table_oid`;

// online they are copied outside of all scopes
const BATCHES_LEFT = `
  SELECT batch
    FROM flexlift.large_object_batch b
    JOIN flexlift.scope s ON s.scope = $1 AND s.table_oid IS NULL AND s.group_number IS NULL
   WHERE b.copied_at IS NULL OR b.scope IS DISTINCT FROM s.scope
   ORDER BY batch`;

/**
 * Closes the scope if all that it covers is copied; then its snapshot is needed no more. Repeating it is harmless.
 *
 * @throws FlexliftError SnapshotLost where the scope is dead
 */
export async function completeScope(args: {
  target: Client;
  identity: LedgerIdentity;
  scope: number;
}): Promise<ScopeCompletion> {
  const { target, identity, scope } = args;
  return await withLedger(target, identity, async () => {
    const { rows } = await target.query<{ state: string }>(
      'SELECT state FROM flexlift.scope WHERE scope = $1 FOR UPDATE',
      [scope],
    );
    const state = rows[0]?.state ?? 'dead';
    if (state === 'dead') throw snapshotLost('The snapshot was lost before everything was copied.');
    const tables = await target.query<ScopeCompletion['tables'][number]>(TABLES_LEFT, [scope]);
    const batches = await target.query<{ batch: number }>(BATCHES_LEFT, [scope]);
    const complete = tables.rows.length + batches.rows.length === 0;
    if (complete) {
      await target.query(
        `UPDATE flexlift.scope SET state = 'complete', closed_at = pg_catalog.now() WHERE scope = $1 AND state = 'open'`,
        [scope],
      );
    }
    return { complete, tables: tables.rows, largeObjectBatches: batches.rows.map((row) => row.batch) };
  });
}
