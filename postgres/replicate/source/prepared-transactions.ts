import type { Client } from 'pg';

/** The gids of the transactions that are prepared in the connected database, the oldest first. */
export async function preparedTransactions(source: Client): Promise<string[]> {
  const { rows } = await source.query<{ gid: string }>(
    `SELECT gid FROM pg_catalog.pg_prepared_xacts
      WHERE database = pg_catalog.current_database() ORDER BY prepared, gid`,
  );
  return rows.map((row) => row.gid);
}
