import type { Client } from 'pg';
import { rowCondition, type SizedTable } from '../ledger';

/** Every change of these tables reaches the target. As a condition over `flexlift.table_load t`. */
const IS_PROVABLE = `t.identity IN ('key', 'full') AND t.stream_state = 'applied'`;

/** Of these tables those that can be proven, in the order given, with the sizes that they have grown to. */
export async function provableTables(target: Client, tableOids: number[]): Promise<SizedTable[]> {
  const { rows } = await target.query<{
    table_oid: number;
    schema_name: string;
    table_name: string;
    copy_condition: string | null;
    bytes: number;
  }>(
    `SELECT t.table_oid, t.schema_name, t.table_name, t.copy_condition,
            GREATEST(t.estimated_bytes, c.relpages::int8 * 8192)::float8 AS bytes
       FROM flexlift.table_load t
       LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema_name
       LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name
      WHERE t.table_oid = ANY ($1::oid[]) AND ${IS_PROVABLE}
      ORDER BY pg_catalog.array_position($1::oid[], t.table_oid)`,
    [tableOids],
  );
  return rows.map((row) => ({
    oid: row.table_oid,
    schema: row.schema_name,
    name: row.table_name,
    condition: rowCondition(row.copy_condition),
    bytes: row.bytes,
  }));
}
