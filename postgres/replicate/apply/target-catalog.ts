import type { Client } from 'pg';
import { IS_GENERATED } from '../../catalog';

/** A column of a table on the target. */
export interface CatalogColumn {
  name: string;
  type: number;
  typmod: number;
  isGenerated: boolean;
  /** An identity GENERATED ALWAYS. */
  isAlwaysGenerated: boolean;
  typeName: string;
  /** Oid of the type's array type; 0: none. */
  arrayType: number;
  delimiter: string;
  isArray: boolean;
  /** A cast from text is more than the input function. */
  hasTextCast: boolean;
  /** What is below a domain; else the type itself. */
  baseType: number;
  baseTypeName: string;
  /** `typtype` of the base type. */
  baseKind: string;
  baseIsArray: boolean;
}

/** A column of a btree index that holds every row by plain columns. */
export interface CatalogIndexColumn {
  index: number;
  /** Unique, and checked at once. */
  isUnique: boolean;
  column: string;
  operatorSchema: string;
  operator: string;
  /** Null where it is the column's own. */
  collationSchema: string | null;
  collation: string | null;
}

export interface CatalogTable {
  columns: CatalogColumn[];
  indexColumns: CatalogIndexColumn[];
}

/**
 * Three round trips for however many tables: an applier begins with them, maybe far away.
 *
 * @returns in their order; `undefined`: there is no such table, or it is not one that holds rows
 */
export async function readTables(
  client: Client,
  tables: { schema: string; name: string }[],
): Promise<(CatalogTable | undefined)[]> {
  const { rows } = await client.query<{ place: number; oid: number }>(
    `SELECT t.place::pg_catalog.int4, c.oid
       FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) WITH ORDINALITY AS t(schema, name, place)
       JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind = 'r'`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  const oids = rows.map(({ oid }) => oid);
  const columns = await client.query<CatalogColumn & Owned>(COLUMNS_QUERY, [oids]);
  const indexColumns = await client.query<CatalogIndexColumn & Owned>(INDEX_COLUMNS_QUERY, [oids]);
  const found = new Map<number, CatalogTable>(oids.map((oid) => [oid, { columns: [], indexColumns: [] }]));
  for (const { table, ...column } of columns.rows) found.get(table)?.columns.push(column);
  for (const { table, ...column } of indexColumns.rows) found.get(table)?.indexColumns.push(column);
  const byPlace = new Map(rows.map(({ place, oid }) => [place, found.get(oid)]));
  return tables.map((_table, index) => byPlace.get(index + 1));
}

interface Owned {
  /** The table's oid. */
  table: number;
}

// typarray of the element tells true arrays from types that can be subscripted
const COLUMNS_QUERY = `
  SELECT a.attrelid AS table, a.attname AS name, a.atttypid AS type, a.atttypmod AS typmod,
         ${IS_GENERATED} AS "isGenerated",
         a.attidentity = 'a' AS "isAlwaysGenerated",
         pg_catalog.format_type(t.oid, -1) AS "typeName", t.typarray AS "arrayType", t.typdelim AS delimiter,
         EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) AS "isArray",
         EXISTS (SELECT FROM pg_catalog.pg_cast
                  WHERE castsource = 25::oid AND casttarget IN (t.oid, base.oid)) AS "hasTextCast",
         base.oid AS "baseType", pg_catalog.format_type(base.oid, -1) AS "baseTypeName",
         base.typtype AS "baseKind",
         EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.oid = base.typelem AND e.typarray = base.oid)
           AS "baseIsArray"
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
   CROSS JOIN LATERAL (
         WITH RECURSIVE below AS (
           SELECT t.oid, t.typtype, t.typbasetype, t.typelem
           UNION ALL
           SELECT b.oid, b.typtype, b.typbasetype, b.typelem
             FROM below JOIN pg_catalog.pg_type b ON b.oid = below.typbasetype
            WHERE below.typtype = 'd')
         SELECT oid, typtype, typelem FROM below WHERE typtype <> 'd') AS base
   WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
   ORDER BY a.attrelid, a.attnum`;

// strategy 3 of a btree is equality
const INDEX_COLUMNS_QUERY = `
  SELECT i.indrelid AS table, i.indexrelid AS index, i.indisunique AND i.indimmediate AS "isUnique", a.attname AS column,
         opn.nspname AS "operatorSchema", op.oprname AS operator,
         CASE WHEN col.oid <> a.attcollation THEN coln.nspname END AS "collationSchema",
         CASE WHEN col.oid <> a.attcollation THEN col.collname END AS collation
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_am am ON am.oid = x.relam AND am.amname = 'btree'
   CROSS JOIN LATERAL pg_catalog.generate_series(0, i.indnkeyatts - 1) AS k
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
    JOIN pg_catalog.pg_opclass oc ON oc.oid = i.indclass[k]
    JOIN pg_catalog.pg_amop s ON s.amopfamily = oc.opcfamily AND s.amopstrategy = 3
                             AND s.amoplefttype = oc.opcintype AND s.amoprighttype = oc.opcintype
    JOIN pg_catalog.pg_operator op ON op.oid = s.amopopr
    JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace
    LEFT JOIN pg_catalog.pg_collation col ON col.oid = i.indcollation[k]
    LEFT JOIN pg_catalog.pg_namespace coln ON coln.oid = col.collnamespace
   WHERE i.indrelid = ANY ($1) AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
   ORDER BY i.indexrelid, k`;
