import type { Client } from 'pg';
import { bringsRows, isNoExtensionsOwn, isUsersSchema } from '../catalog';

/** A table whose own rows are copied. */
export interface SourceTable {
  oid: number;
  schema: string;
  name: string;
  /** The WHERE clause of an extension's configuration table, may be empty; `undefined` for every other table. */
  condition?: string;
}

/**
 * Plain tables, partitions, unlogged tables and inheritance children of users; of an extension's own tables only those
 * that it registered with `pg_extension_config_dump`, under the condition it gave. As CTE `tables`.
 */
export const SOURCE_TABLES = `
  config AS (
    SELECT c.oid, c.condition
      FROM pg_catalog.pg_extension e
      CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition))
                         AS c(oid, condition)
     WHERE ${bringsRows('e.extname')}),
  tables AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name, config.condition
      FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN config ON config.oid = c.oid
     WHERE c.relkind = 'r' AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'flexlift') AND ${isUsersSchema('n.nspname')}
       AND ${isNoExtensionsOwn('c')})`;

/** By oid. @param oids absent: all of them */
export async function listSourceTables(client: Client, oids?: number[]): Promise<SourceTable[]> {
  const { rows } = await client.query<{
    oid: number;
    schema: string;
    name: string;
    condition: string | null;
  }>(
    `WITH ${SOURCE_TABLES} SELECT oid, schema, name, condition FROM tables
      WHERE $1::oid[] IS NULL OR oid = ANY ($1) ORDER BY oid`,
    [oids],
  );
  return rows.map(({ condition, ...table }) => ({ ...table, condition: condition ?? undefined }));
}

/** The same tables under the same names? */
export function sameTables(left: SourceTable[], right: SourceTable[]): boolean {
  return differingTables(left, right).length === 0;
}

/** Tables that are in one list only, or under another name in the other. */
export function differingTables<Table extends Omit<SourceTable, 'condition'>>(
  left: Table[],
  right: Table[],
): Table[] {
  const key = (table: Table) => JSON.stringify([table.oid, table.schema, table.name]);
  const [inLeft, inRight] = [new Set(left.map(key)), new Set(right.map(key))];
  return [
    ...left.filter((table) => !inRight.has(key(table))),
    ...right.filter((table) => !inLeft.has(key(table))),
  ];
}
