import type { Client } from 'pg';
import { quoteQualified } from '../connect';

interface TableName {
  schema: string;
  name: string;
}

export interface TableToEmpty extends TableName {
  /**
   * Also where it is empty: what the transaction writes that truncated its table can be frozen. But TRUNCATE makes new files
   * and deletes the old ones, which takes longer than a small table's rows.
   */
  anew: boolean;
}

// no page, no row: a transaction that failed may have left pages. The size opens a table, waiting for whoever has locked it:
// in WHERE it may be asked of all tables of the database, before the join
const SIZES = `
  SELECT w.place::int4 AS place, pg_catalog.pg_relation_size(c.oid) = 0 AS "isEmpty"
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema, name, place)
    JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name`;

// a table may reference itself: that is no obstacle to TRUNCATE
const REFERENCED = `
  WITH emptied AS (
    SELECT c.oid, n.nspname, c.relname
      FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
      JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name)
  SELECT e.nspname AS schema, e.relname AS name,
         pg_catalog.bool_or(k.conrelid NOT IN (SELECT oid FROM emptied)) AS by_others
    FROM emptied e
    JOIN pg_catalog.pg_constraint k ON k.contype = 'f' AND k.confrelid = e.oid AND k.conrelid <> e.oid
   GROUP BY e.oid, e.nspname, e.relname`;

/**
 * Removes the tables' own rows where there are any, in the caller's transaction: by TRUNCATE, or by DELETE where a foreign key
 * of another table forbids that.
 *
 * @returns of each, whether it was truncated
 */
export async function emptyTables(target: Client, tables: TableToEmpty[]): Promise<boolean[]> {
  const wanted = await notEmpty(target, tables);
  const truncated = new Set(wanted.length === 0 ? [] : await emptyAll(target, wanted));
  return tables.map((table) => truncated.has(table));
}

async function notEmpty(target: Client, tables: TableToEmpty[]): Promise<TableToEmpty[]> {
  if (tables.every((table) => table.anew)) return tables;
  const { rows } = await target.query<{ place: number; isEmpty: boolean | null }>(SIZES, namesOf(tables));
  const empty = new Set(rows.filter((row) => row.isEmpty === true).map((row) => row.place - 1));
  return tables.filter((table, index) => table.anew || !empty.has(index));
}

/** @returns those that were truncated */
async function emptyAll(target: Client, tables: TableToEmpty[]): Promise<TableToEmpty[]> {
  const { rows } = await target.query<TableName & { by_others: boolean }>(REFERENCED, namesOf(tables));
  const byOthers = rows.some((row) => row.by_others);
  const referenced = new Set(byOthers ? rows.map(quotedName) : []);
  for (const each of referenced) await target.query(`DELETE FROM ${each}`);
  const truncated = tables.filter((table) => !referenced.has(quotedName(table)));
  if (truncated.length > 0) await target.query(`TRUNCATE ${truncated.map(quotedName).join(', ')}`);
  return truncated;
}

function quotedName({ schema, name }: TableName): string {
  return `ONLY ${quoteQualified(schema, name)}`;
}

function namesOf(tables: TableName[]): [string[], string[]] {
  return [tables.map((table) => table.schema), tables.map((table) => table.name)];
}

/**
 * For the rest of the transaction ordinary triggers do not fire and foreign keys are not checked, where the target allows
 * it: what is copied anew is complete only when the stream has passed it.
 */
export async function actAsReplica(target: Client): Promise<void> {
  await target.query(
    `SELECT pg_catalog.set_config('session_replication_role', 'replica', true) FROM flexlift.stream WHERE replica_role`,
  );
}
