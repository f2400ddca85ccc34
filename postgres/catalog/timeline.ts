import type { Client } from 'pg';

/** Of a primary's WAL: another one after each failover. */
export async function timeline(client: Client): Promise<number> {
  // the first eight hexadecimal digits of a WAL file's name; pg_control_checkpoint knows it at the next checkpoint only
  const { rows } = await client.query<{ timeline: string }>(
    `SELECT pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) AS timeline`,
  );
  return Number.parseInt(rows[0]?.timeline ?? '', 16);
}
