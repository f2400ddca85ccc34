import type { Client } from 'pg';
import { groupBy } from '../catalog';
import type { Described, TableName, TypeDescription } from '../compare';
import { quoteIdentifier, quoteQualified } from '../connect';

/** One column of a table's replica identity, with what it takes to look a value up by its index. */
export interface KeyColumn {
  name: string;
  /** The type that a value's text is read as, by its input function; SQL. */
  readAs: string;
  /** What is compared with the column; `value` is of type {@link readAs}. SQL. */
  cast: (value: string) => string;
  /** Of the index's own operator class: `OPERATOR("public".=)`. */
  equals: string;
}

interface KeyRow {
  /** Of the table in the list, from 1 on. */
  place: number;
  name: string;
  type: string;
  operator_schema: string | null;
  operator: string | null;
}

/**
 * Of each table, in the same order, the columns of its replica identity in the order of the table, as pgoutput sends them.
 * `undefined`: it has none that is an index, or one that finds its rows by other means than equality.
 */
export async function readIdentityKeys(
  source: Client,
  tables: Described<TableName>[],
): Promise<(KeyColumn[] | undefined)[]> {
  const { rows } = await source.query<KeyRow>(KEYS_QUERY, [
    tables.map(({ schema }) => schema),
    tables.map(({ name }) => name),
  ]);
  const byPlace = groupBy(rows, (row) => row.place);
  return tables.map((table, index) => identityKey(table, byPlace.get(index + 1) ?? []));
}

function identityKey({ columns }: Described<TableName>, rows: KeyRow[]): KeyColumn[] | undefined {
  const key = rows.map(({ name, type, operator_schema, operator }) => {
    const column = columns.find((each) => each.name === name);
    if (column === undefined || operator_schema === null || operator === null) return undefined;
    const equals = `OPERATOR(${quoteIdentifier(operator_schema)}.${operator})`;
    return { name, ...reading(type, column.type), equals };
  });
  if (key.length === 0 || key.includes(undefined)) return undefined;
  return key.filter((column) => column !== undefined);
}

// strategy 3 of a btree is equality
const KEYS_QUERY = `
  SELECT wanted.place::pg_catalog.int4 AS place, a.attname AS name, pg_catalog.format_type(a.atttypid, -1) AS type,
         n.nspname AS operator_schema, o.oprname AS operator
    FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) WITH ORDINALITY AS wanted(schema, name, place)
    JOIN pg_catalog.pg_namespace cn ON cn.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = cn.oid AND c.relname = wanted.name
    JOIN pg_catalog.pg_index i ON i.indrelid = c.oid
     AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
   CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey::pg_catalog.int2[]),
                                 pg_catalog.unnest(i.indclass::pg_catalog.oid[]))
                      WITH ORDINALITY AS k(attnum, opclass, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    LEFT JOIN pg_catalog.pg_opclass oc ON oc.oid = k.opclass
     AND oc.opcmethod = (SELECT m.oid FROM pg_catalog.pg_am m WHERE m.amname = 'btree')
    LEFT JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
     AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
    LEFT JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
   WHERE k.position <= i.indnkeyatts
   ORDER BY wanted.place, a.attnum`;

/** A JSON string becomes a value of any type by its input function, but of json and jsonb it stays a string. */
function reading(type: string, description: TypeDescription): Pick<KeyColumn, 'readAs' | 'cast'> {
  const isJson = isJsonType(description);
  return {
    readAs: isJson ? 'pg_catalog.text' : type,
    cast: (value) => (isJson ? `${value}::pg_catalog.jsonb` : value),
  };
}

function isJsonType(type: TypeDescription): boolean {
  if (type.kind === 'domain') return isJsonType(type.base);
  return type.kind === 'builtin' && (type.name === 'json' || type.name === 'jsonb');
}

/** `ONLY "s"."t" AS looked_at`, and the condition that a row of it has the key. */
export function lookUp(table: { schema: string; name: string }, key: KeyColumn[]) {
  const conditions = key.map(
    (column, index) =>
      `looked_at.${quoteIdentifier(column.name)} ${column.equals} ${column.cast(`k.c${index}`)}`,
  );
  return {
    from: `ONLY ${quoteQualified(table.schema, table.name)} AS looked_at`,
    condition: conditions.join(' AND '),
  };
}
