import type { Client } from 'pg';
import { IS_GENERATED } from '../catalog';
import { quoteIdentifier, quoteQualified } from '../connect';
import { rangesBetween, type TableRanges } from './part-ranges';
import type { SourceTable } from './source-tables';
import { withoutWaiting } from './without-waiting';

export interface RowRanges extends TableRanges {
  /** Of the values that one row holds, as they are stored, bytes. */
  largestRow: number;
}

/**
 * Ranges of ctid that hold about the same number of bytes, TOAST counted, whatever pages their rows lie in: reads all of the
 * table's own pages, and no page of its TOAST.
 *
 * @param client in a transaction
 * @returns `undefined` where the server refuses it, most likely because somebody has the table locked
 */
export async function rowRanges(
  client: Client,
  table: Pick<SourceTable, 'oid' | 'schema' | 'name'>,
  parts: number,
): Promise<RowRanges | undefined> {
  const object = quoteQualified(table.schema, table.name);
  return await withoutWaiting(client, async () => {
    await client.query(`LOCK TABLE ONLY ${object} IN ACCESS SHARE MODE NOWAIT`);
    return await measure(client, object, await toastedColumns(client, table.oid), parts);
  });
}

/** A row belongs to the part that its middle byte lies in, so that one large row makes no part much larger than another. */
async function measure(client: Client, object: string, columns: string[], parts: number): Promise<RowRanges> {
  const sizes = columns.map((name) => `COALESCE(pg_catalog.pg_column_size(${quoteIdentifier(name)}), 0)`);
  const { rows } = await client.query<{ first: string; largest: string }>(
    `WITH sized AS (
       SELECT ctid, ${['0::int8', ...sizes].join(' + ')} AS bytes FROM ONLY ${object}),
     placed AS (
       SELECT ctid, pg_catalog.sum(bytes) OVER (ORDER BY ctid) - bytes / 2 AS middle,
              pg_catalog.sum(bytes) OVER () AS total, pg_catalog.max(bytes) OVER () AS largest
         FROM sized),
     parted AS (
       SELECT ctid, largest, LEAST(pg_catalog.div(middle * $1::int8, NULLIF(total, 0)), $1::int8 - 1) AS part FROM placed)
     SELECT DISTINCT ON (part) ctid::pg_catalog.text AS first, largest FROM parted ORDER BY part, ctid`,
    [parts],
  );
  return {
    ranges: rangesBetween(rows.slice(1).map(({ first }) => first)),
    largestRow: Number(rows[0]?.largest ?? 0),
  };
}

async function toastedColumns(client: Client, oid: number): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT a.attname AS name
       FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1 AND a.attstorage <> 'p'
        AND NOT ${IS_GENERATED}`,
    [oid],
  );
  return rows.map(({ name }) => name);
}
