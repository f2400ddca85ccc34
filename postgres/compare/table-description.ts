import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';

/** What the hash has to know of a type. Plain JSON without OIDs: it holds on both sides. */
export type TypeDescription =
  /** A base or range type of pg_catalog; `name` is its `typname`, e.g. `int4`. */
  | { kind: 'builtin'; name: string }
  | { kind: 'array'; element: TypeDescription }
  | { kind: 'composite'; fields: ColumnDescription[] }
  | { kind: 'range'; subtype: TypeDescription }
  /** `sqlName` is the type below the domain as SQL names it, e.g. `numeric(10,2)`. */
  | { kind: 'domain'; sqlName: string; base: TypeDescription }
  /** An enum, a multirange, or a base type of an extension or a user. */
  | { kind: 'other'; name: string };

export interface ColumnDescription {
  name: string;
  type: TypeDescription;
}

interface TypeRow {
  oid: number;
  typname: string;
  typtype: string;
  builtin: boolean;
  element: number;
  base: number;
  base_sql_name: string;
  subtype: number | null;
  fields: { name: string; type: number }[] | null;
}

export interface TableName {
  schema: string;
  name: string;
}

/**
 * The columns of a table, a partition or a materialized view in the order of its `attnum`, generated ones included,
 * dropped ones not. Described once, on the source, and used on both sides, where the `attnum`s may differ.
 *
 * @throws FlexliftError StatementRejected where there is no such table.
 */
export async function describeTable(
  client: Client,
  schema: string,
  name: string,
): Promise<ColumnDescription[]> {
  const [table] = await describeTables(client, [{ schema, name }]);
  return table?.columns ?? [];
}

export type Described<Table> = Table & { columns: ColumnDescription[] };

/** The tables with their columns, see {@link describeTable}, with no more round trips than one takes. */
export async function describeTables<Table extends TableName>(
  client: Client,
  tables: Table[],
): Promise<Described<Table>[]> {
  const { rows } = await client.query<{ found: boolean; columns: { name: string; type: number }[] | null }>(
    `SELECT c.oid IS NOT NULL AS found,
            (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type', a.atttypid::int8)
                                         ORDER BY a.attnum)
               FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
       FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) WITH ORDINALITY AS wanted(schema, name, place)
       LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
       LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
      ORDER BY wanted.place`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const missing = tables.find((_, index) => rows[index]?.found !== true);
  if (missing !== undefined) {
    throw new FlexliftError({
      code: 'StatementRejected',
      sentence: 'The table does not exist.',
      remedy: 'If it was dropped while the migration ran, start the migration anew.',
      object: quoteQualified(missing.schema, missing.name),
    });
  }
  const types = await readTypes(
    client,
    rows.flatMap(({ columns }) => columns ?? []).map((column) => column.type),
  );
  return tables.map((table, index) => ({
    ...table,
    columns: (rows[index]?.columns ?? []).map(({ name, type }) => ({
      name,
      type: describeType(type, types),
    })),
  }));
}

/** The types and all that they are made of: a round per level of nesting. */
async function readTypes(client: Client, wanted: number[]): Promise<Map<number, TypeRow>> {
  const types = new Map<number, TypeRow>();
  let missing = [...new Set(wanted)];
  while (missing.length > 0) {
    const { rows } = await client.query<TypeRow>(TYPES_QUERY, [missing]);
    for (const row of rows) types.set(row.oid, row);
    const parts = rows.flatMap((row) => [
      row.element,
      row.base,
      row.subtype ?? 0,
      ...(row.fields ?? []).map((field) => field.type),
    ]);
    missing = [...new Set(parts)].filter((oid) => oid !== 0 && !types.has(oid));
  }
  return types;
}

// FirstNormalObjectId is 16384: all below came with the server and are the same everywhere.
// typarray of the element tells true arrays from the fixed-length types that can be subscripted (point, name)
const TYPES_QUERY = `
  SELECT t.oid, t.typname, t.typtype, t.oid < 16384 AS builtin,
         CASE WHEN e.typarray = t.oid THEN t.typelem ELSE 0 END AS element,
         t.typbasetype AS base,
         pg_catalog.format_type(t.typbasetype, t.typtypmod) AS base_sql_name,
         r.rngsubtype AS subtype,
         CASE WHEN t.typtype = 'c' THEN
           (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('name', a.attname, 'type', a.atttypid::int8)
                                        ORDER BY a.attnum)
              FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END AS fields
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
   WHERE t.oid = ANY ($1::oid[])`;

function describeType(oid: number, types: Map<number, TypeRow>): TypeDescription {
  const row = types.get(oid);
  if (row === undefined) throw new Error(`type ${oid} is not in pg_type`);
  if (row.element !== 0) {
    return { kind: 'array', element: describeType(row.element, types) };
  }
  if (row.typtype === 'd') {
    return { kind: 'domain', sqlName: row.base_sql_name, base: describeType(row.base, types) };
  }
  if (row.typtype === 'c') {
    const fields = (row.fields ?? []).map((field) => ({
      name: field.name,
      type: describeType(field.type, types),
    }));
    return { kind: 'composite', fields };
  }
  if (row.builtin) return { kind: 'builtin', name: row.typname };
  if (row.subtype !== null) return { kind: 'range', subtype: describeType(row.subtype, types) };
  return { kind: 'other', name: row.typname };
}
