import type { Client } from 'pg';

/**
 * The oldest transaction that has written, prepared ones too, of the whole server; for a person. A snapshot at an exact
 * position has to wait for it.
 *
 * @returns e.g. `the transaction of process 4711 in database shop, at work since 2025-06-01 12:00:00+00`; `undefined`:
 *   there is none, or we may not see it
 */
export async function oldestWriter(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ writer: string }>(
    `SELECT pg_catalog.format('%s, at work since %s', who, since) AS writer
       FROM (SELECT pg_catalog.format('the transaction of process %s in database %I', pid, datname), xact_start
               FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL
              UNION ALL
             SELECT pg_catalog.format('the prepared transaction %L in database %I', gid, database), prepared
               FROM pg_catalog.pg_prepared_xacts) AS writers(who, since)
      ORDER BY since LIMIT 1`,
  );
  return rows[0]?.writer;
}
