import type { Client } from 'pg';

/**
 * A mark of each table's name and columns, by its oid. It tells which transactions made them so: a rewrite that leaves the
 * definition as it was (`ALTER TYPE … USING`, a column dropped and added again), or two tables that changed their names,
 * leave another mark, and nothing in the stream would tell of what that did to the rows.
 *
 * @param tableOids default: all
 */
export async function definitionMarks(client: Client, tableOids?: number[]): Promise<Map<number, string>> {
  const { rows } = await client.query<{ oid: number; mark: string }>(
    `SELECT c.oid,
            pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', n.nspname, c.relname, (
              SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attnum, a.xmin), ' ' ORDER BY a.attnum)
                FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)), 0)::pg_catalog.text AS mark
       FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND ($1::pg_catalog.oid[] IS NULL OR c.oid = ANY ($1::pg_catalog.oid[]))`,
    [tableOids ?? null],
  );
  return new Map(rows.map(({ oid, mark }) => [oid, mark]));
}
