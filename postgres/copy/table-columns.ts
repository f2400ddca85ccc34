import type { Client } from 'pg';
import type { FailurePlace } from '../../contract';
import { groupBy, IS_GENERATED } from '../catalog';
import { quoteQualified } from '../connect';
import type { ColumnType } from './copy-format';
import { schemaDrift } from './schema-drift';

export interface CopyColumn {
  name: string;
  type: ColumnType;
}

export interface CopyTable {
  schema: string;
  name: string;
  /** The database's, e.g. `UTF8`. */
  encoding: string;
  /** In the order of `attnum`, without generated and dropped ones; may be empty. */
  columns: CopyColumn[];
}

interface ColumnRow {
  table_oid: number;
  schema: string;
  name: string;
  encoding: string;
  column: string | null;
  oid: number;
  type_name: string;
  kind: string;
  element: number;
  has_binary: boolean;
}

// typarray tells true arrays from types that can be subscripted (point, name)
const COLUMNS_QUERY = `
  SELECT c.oid AS table_oid, n.nspname AS schema, c.relname AS name, pg_catalog.current_setting('server_encoding') AS encoding,
         a.attname AS column, t.oid, COALESCE(e.typname, t.typname) AS type_name, t.typtype AS kind,
         COALESCE(e.oid, 0::oid) AS element,
         t.typsend <> 0 AND t.typreceive <> 0
           AND (e.oid IS NULL OR (e.typsend <> 0 AND e.typreceive <> 0)) AS has_binary
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a
           ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND NOT ${IS_GENERATED}
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid`;

/**
 * The tables under the source's snapshot, in the order of `oids`.
 *
 * @throws FlexliftError SchemaDrift where one is gone
 */
export async function sourceTables(client: Client, oids: number[]): Promise<CopyTable[]> {
  const { rows } = await client.query<ColumnRow>(
    `${COLUMNS_QUERY} WHERE c.oid = ANY ($1::pg_catalog.oid[]) ORDER BY a.attnum`,
    [oids],
  );
  const byOid = groupBy(rows, (row) => row.table_oid);
  return oids.map((oid) =>
    tableOf(byOid.get(oid), `The source has no table with oid ${oid} any more.`, { side: 'source' }),
  );
}

/**
 * The same tables on the target, in the same order, their columns in the source's.
 *
 * @throws FlexliftError SchemaDrift where a table or a column is missing, or where one has columns that the source
 * sends nothing for although the statement cannot say so
 */
export async function targetTables(client: Client, source: CopyTable[]): Promise<CopyTable[]> {
  const { rows } = await client.query<ColumnRow>(
    `${COLUMNS_QUERY}
       JOIN unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) AS wanted(schema, name)
         ON n.nspname = wanted.schema AND c.relname = wanted.name
      WHERE c.relkind = 'r' ORDER BY a.attnum`,
    [source.map((table) => table.schema), source.map((table) => table.name)],
  );
  const byName = groupBy(rows, quotedName);
  return source.map((table) => sameTable(table, byName.get(quotedName(table))));
}

function sameTable(source: CopyTable, rows: ColumnRow[] | undefined): CopyTable {
  const place: FailurePlace = { side: 'target', object: quotedName(source) };
  const target = tableOf(rows, 'The table is missing on the target.', place);
  const byName = new Map(target.columns.map((column) => [column.name, column]));
  const columns = source.columns.map(
    ({ name }) =>
      byName.get(name) ?? drift(`The target's table has no column ${JSON.stringify(name)} to write.`, place),
  );
  if (columns.length === 0 && target.columns.length > 0) {
    drift('The table has columns to write on the target only.', place);
  }
  return { ...target, columns };
}

function quotedName({ schema, name }: { schema: string; name: string }): string {
  return quoteQualified(schema, name);
}

function tableOf(rows: ColumnRow[] | undefined, missing: string, place: FailurePlace): CopyTable {
  const [first] = rows ?? [];
  if (rows === undefined || first === undefined) return drift(missing, place);
  const columns = rows.flatMap((row) =>
    row.column === null ? [] : [{ name: row.column, type: typeOf(row) }],
  );
  return { schema: first.schema, name: first.name, encoding: first.encoding, columns };
}

function typeOf(row: ColumnRow): ColumnType {
  return {
    oid: row.oid,
    name: row.type_name,
    kind: row.kind,
    element: row.element,
    hasBinary: row.has_binary,
  };
}

function drift(sentence: string, place: FailurePlace): never {
  throw schemaDrift(sentence, place);
}
