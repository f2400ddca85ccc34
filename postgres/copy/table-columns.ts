import type { Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../contract';
import { quoteQualified } from '../connect';
import type { ColumnType } from './copy-format';

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

// attgenerated exists from 12 on. typarray tells true arrays from types that can be subscripted (point, name)
const COLUMNS_QUERY = `
  SELECT n.nspname AS schema, c.relname AS name, pg_catalog.current_setting('server_encoding') AS encoding,
         a.attname AS column, t.oid, COALESCE(e.typname, t.typname) AS type_name, t.typtype AS kind,
         COALESCE(e.oid, 0::oid) AS element,
         t.typsend <> 0 AND t.typreceive <> 0
           AND (e.oid IS NULL OR (e.typsend <> 0 AND e.typreceive <> 0)) AS has_binary
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a
           ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          AND COALESCE(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''
    LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND e.typarray = t.oid`;

/**
 * The table under the source's snapshot.
 *
 * @throws FlexliftError SchemaDrift where it is gone
 */
export async function sourceTable(client: Client, oid: number): Promise<CopyTable> {
  const { rows } = await client.query<ColumnRow>(`${COLUMNS_QUERY} WHERE c.oid = $1 ORDER BY a.attnum`, [
    oid,
  ]);
  return tableOf(rows, `The source has no table with oid ${oid} any more.`, { side: 'source' });
}

/**
 * The same table on the target, its columns in the source's order.
 *
 * @throws FlexliftError SchemaDrift where the table or a column is missing, or where it has columns that the source
 * sends nothing for although the statement cannot say so
 */
export async function targetTable(client: Client, source: CopyTable): Promise<CopyTable> {
  const place: FailurePlace = { side: 'target', object: quoteQualified(source.schema, source.name) };
  const { rows } = await client.query<ColumnRow>(
    `${COLUMNS_QUERY} WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' ORDER BY a.attnum`,
    [source.schema, source.name],
  );
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

function tableOf(rows: ColumnRow[], missing: string, place: FailurePlace): CopyTable {
  const [first] = rows;
  if (first === undefined) return drift(missing, place);
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
  throw new FlexliftError({
    code: 'SchemaDrift',
    sentence,
    remedy: 'Leave the schema of the source alone while it is migrated; start the migration anew.',
    ...place,
  });
}
