import type { Client } from 'pg';
import { quoteQualified } from '../connect';

interface TableName {
  schema: string;
  name: string;
}

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
 * Removes the tables' own rows, in the caller's transaction: by TRUNCATE, or by DELETE where a foreign key of another
 * table forbids that.
 *
 * @returns whether all of them were truncated
 */
export async function emptyTables(target: Client, tables: TableName[]): Promise<boolean> {
  const { rows } = await target.query<TableName & { by_others: boolean }>(REFERENCED, [
    tables.map((table) => table.schema),
    tables.map((table) => table.name),
  ]);
  const name = (table: TableName) => `ONLY ${quoteQualified(table.schema, table.name)}`;
  const deleted = rows.some((row) => row.by_others) ? rows.map(name) : [];
  const truncated = tables.map(name).filter((each) => !deleted.includes(each));
  for (const each of deleted) await target.query(`DELETE FROM ${each}`);
  if (truncated.length > 0) await target.query(`TRUNCATE ${truncated.join(', ')}`);
  return deleted.length === 0;
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
