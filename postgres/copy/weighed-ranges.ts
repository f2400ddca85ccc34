import type { Client } from 'pg';
import { quoteIdentifier, quoteQualified } from '../connect';
import { rangesBetween, type TableRanges } from './part-ranges';

/**
 * Ranges of ctids that hold about the same number of bytes, TOAST included, at most `parts` of them. Reads the table's own
 * pages, not its values: `pg_column_size` of one in TOAST is what its pointer says.
 */
export async function weighedRanges(
  client: Client,
  table: { oid: number; schema: string; name: string },
  parts: number,
): Promise<TableRanges> {
  const columns = await toastedColumns(client, table.oid);
  const sizes = columns.map(
    (name) => `COALESCE(pg_catalog.pg_column_size(${quoteIdentifier(name)}), 0)::int8`,
  );
  const { rows } = await client.query<{ bound: string }>(
    `WITH weighed AS (
            SELECT ctid AS tid, ${['1', ...sizes].join(' + ')} AS bytes
              FROM ONLY ${quoteQualified(table.schema, table.name)}),
          placed AS (
            SELECT tid, pg_catalog.sum(bytes) OVER (ORDER BY tid) - bytes AS before, pg_catalog.sum(bytes) OVER () AS total
              FROM weighed),
          divided AS (
            SELECT tid, pg_catalog.floor(before * $1 / total) AS part FROM placed)
     SELECT DISTINCT ON (part) tid::text AS bound FROM divided WHERE part > 0 ORDER BY part, tid`,
    [parts],
  );
  return { ranges: rangesBetween(rows.map((row) => row.bound)) };
}

/** Those whose values can be stored out of line. */
async function toastedColumns(client: Client, oid: number): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_catalog.pg_attribute
      WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attlen = -1 AND attstorage <> 'p'
      ORDER BY attnum`,
    [oid],
  );
  return rows.map((row) => row.name);
}
