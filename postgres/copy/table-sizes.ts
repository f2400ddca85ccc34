import type { Client } from 'pg';
import { SOURCE_TABLES, type SourceTable } from './source-tables';

export interface TableSize extends SourceTable {
  /** With its TOAST. */
  bytes: number;
  rows: number;
  /** Of its own, without its TOAST. */
  pages: number;
  /** Stored in the heap access method: the only one known to have ctids that follow its pages. */
  heap: boolean;
}

/** Of all tables that are copied, the largest first. */
export async function tableSizes(client: Client): Promise<TableSize[]> {
  const { rows } = await client.query<
    Record<'schema' | 'name' | 'bytes' | 'rows' | 'pages', string> & {
      oid: number;
      condition: string | null;
      heap: boolean;
    }
  >(`
    WITH ${SOURCE_TABLES}
    SELECT t.oid, t.schema, t.name, t.condition,
           COALESCE(pg_catalog.pg_table_size(t.oid), 0) AS bytes,
           GREATEST(c.reltuples, 0)::int8 AS rows,
           COALESCE(pg_catalog.pg_relation_size(t.oid), 0)
             / pg_catalog.current_setting('block_size')::int8 AS pages,
           COALESCE(am.amname, 'heap') = 'heap' AS heap
      FROM tables t
      JOIN pg_catalog.pg_class c ON c.oid = t.oid
      LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
     ORDER BY 5 DESC, t.oid`);
  return rows.map((row) => ({
    ...row,
    condition: row.condition ?? undefined,
    bytes: Number(row.bytes),
    rows: Number(row.rows),
    pages: Number(row.pages),
  }));
}
