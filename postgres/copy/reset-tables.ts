import type { Client } from 'pg';
import { actAsReplica, emptyTables } from './empty-tables';

/** Empties the tables and marks all of their parts to be copied again, in the caller's ledger transaction. */
export async function resetTables(target: Client, tables: { oid: number }[]): Promise<void> {
  if (tables.length === 0) return;
  const oids = tables.map((table) => table.oid);
  // as a copy does: its parts before its tables, in this order, else each would wait for the other
  await target.query(
    'SELECT FROM flexlift.part WHERE table_oid = ANY ($1::oid[]) ORDER BY table_oid, part FOR UPDATE',
    [oids],
  );
  // an extension's table is emptied, under its condition, by the copy itself
  const { rows } = await target.query<{ schema: string; name: string }>(
    `SELECT schema_name AS schema, table_name AS name FROM flexlift.table_load
      WHERE table_oid = ANY ($1::oid[]) AND copy_condition IS NULL ORDER BY table_oid`,
    [oids],
  );
  await actAsReplica(target);
  // anew, for a part's copy may still be under way, and whoever truncates waits for it
  await emptyTables(
    target,
    rows.map((table) => ({ ...table, anew: true })),
  );
  await target.query(
    `UPDATE flexlift.part
        SET scope = NULL, rows = NULL, bytes = NULL, seconds = NULL, copied_by = NULL, copied_at = NULL
      WHERE table_oid = ANY ($1::oid[])`,
    [oids],
  );
  await target.query(
    `UPDATE flexlift.table_load
        SET source_scope = NULL, source_rows = NULL, source_checksum = NULL, target_rows = NULL, target_checksum = NULL
      WHERE table_oid = ANY ($1::oid[])`,
    [oids],
  );
}

/** All batches are to be copied again; their copy removes what the target holds. */
export async function resetLargeObjects(target: Client): Promise<void> {
  await target.query(
    `UPDATE flexlift.large_object_batch
        SET scope = NULL, objects = NULL, bytes = NULL, seconds = NULL, copied_by = NULL, copied_at = NULL
      WHERE copied_at IS NOT NULL`,
  );
}
