import type { Client } from 'pg';
import { IS_GENERATED } from '../catalog';
import { quoteIdentifier, quoteQualified } from '../connect';
import { withoutWaiting } from './without-waiting';

/** Inclusive `from`, exclusive `to`; absent is open-ended. A ctid, or the key as text. */
export interface PartRange {
  from?: string;
  to?: string;
}

export interface TableRanges {
  /** The key's column; absent: ctid. */
  column?: string;
  ranges: PartRange[];
}

const WHOLE: TableRanges = { ranges: [{}] };
const INTEGERS = new Set(['int2', 'int4', 'int8']);

/** Equal numbers of pages; a range scan by ctid exists from 14 on. */
export function ctidRanges(pages: number, parts: number): TableRanges {
  const count = Math.max(1, Math.min(parts, pages));
  const bounds = Array.from({ length: count - 1 }, (_, index) => Math.floor(((index + 1) * pages) / count));
  return { ranges: rangesBetween(bounds.map((page) => `(${page},0)`)) };
}

interface KeyRow {
  name: string;
  type: string;
  collation_schema: string | null;
  collation: string | null;
  histogram: string[] | null;
}

// a key that is not null, of a type that every server sorts by itself, and that is copied
const KEYS_QUERY = `
  SELECT a.attname AS name, t.typname AS type, ln.nspname AS collation_schema, l.collname AS collation,
         s.histogram_bounds::text::text[] AS histogram
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid AND t.oid < 10000 AND t.typtype = 'b' AND t.typcategory <> 'A'
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    LEFT JOIN pg_catalog.pg_stats s
           ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
   WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
     AND i.indpred IS NULL AND i.indexprs IS NULL AND a.attnotnull
     AND NOT ${IS_GENERATED}
   ORDER BY s.histogram_bounds IS NULL, i.indisprimary DESC, a.attnum
   LIMIT 1`;

/**
 * Ranges of a unique single-column key that hold about the same number of rows, by the server's own histogram: an
 * outlier or a negative key makes no lopsided part. Integers without a histogram: equal ranges of values. The whole
 * table where neither is to be had, or somebody has it locked.
 *
 * @param client in a transaction
 */
export async function keyRanges(
  client: Client,
  table: { oid: number; schema: string; name: string },
  parts: number,
): Promise<TableRanges> {
  const { rows } = await client.query<KeyRow>(KEYS_QUERY, [table.oid]);
  const [key] = rows;
  if (key === undefined) return WHOLE;
  if (key.histogram !== null) {
    const bounds = await sortedAsKey(client, key, key.histogram);
    return { column: key.name, ranges: rangesBetween(pickBounds(bounds, parts)) };
  }
  if (!INTEGERS.has(key.type)) return WHOLE;
  const bounds = await withoutWaiting(client, () => integerBounds(client, table, key.name, parts));
  return bounds === undefined ? WHOLE : { column: key.name, ranges: rangesBetween(bounds) };
}

/** `parts - 1` of the values, evenly spread over the list, without its ends. */
export function pickBounds(values: string[], parts: number): string[] {
  const intervals = values.length - 1;
  const count = Math.max(1, Math.min(parts, intervals));
  const picked = Array.from(
    { length: count - 1 },
    (_, index) => values[Math.round(((index + 1) * intervals) / count)] ?? '',
  );
  return [...new Set(picked)];
}

/** Before 12 a histogram is sorted by the database's collation, while the ranges are compared by the column's. */
async function sortedAsKey(client: Client, key: KeyRow, values: string[]): Promise<string[]> {
  const collate =
    key.collation === null || key.collation_schema === null
      ? ''
      : `COLLATE ${quoteQualified(key.collation_schema, key.collation)}`;
  const { rows } = await client.query<{ value: string }>(
    `SELECT value FROM pg_catalog.unnest($1::text[]) AS value
      ORDER BY value::${quoteQualified('pg_catalog', key.type)} ${collate}`,
    [values],
  );
  return rows.map((row) => row.value);
}

async function integerBounds(
  client: Client,
  table: { schema: string; name: string },
  column: string,
  parts: number,
): Promise<string[]> {
  const name = quoteIdentifier(column);
  const { rows } = await client.query<{ least: string | null; greatest: string | null }>(
    `SELECT pg_catalog.min(${name})::text AS least, pg_catalog.max(${name})::text AS greatest
       FROM ONLY ${quoteQualified(table.schema, table.name)}`,
  );
  const [ends] = rows;
  if (ends?.least == null || ends.greatest === null) return [];
  return evenBounds(BigInt(ends.least), BigInt(ends.greatest), parts);
}

/** Values that cut `least` to `greatest` into at most `parts` equal ranges. */
export function evenBounds(least: bigint, greatest: bigint, parts: number): string[] {
  const span = greatest - least;
  const bounds = Array.from(
    { length: parts - 1 },
    (_, index) => least + (span * BigInt(index + 1)) / BigInt(parts),
  );
  return [...new Set(bounds.filter((bound) => bound > least))].map(String);
}

/** Ranges that meet at the bounds, the first and the last open-ended. */
export function rangesBetween(bounds: string[]): PartRange[] {
  return [...bounds, undefined].map((to, index) => ({ from: bounds[index - 1], to }));
}
