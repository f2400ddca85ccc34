import type { Client } from 'pg';

/**
 * The oldest transaction that has written, prepared ones too, of the whole server; for a person. A snapshot at an exact
 * position has to wait for it. Its locks are for all to see, since when it is at work may not be.
 *
 * @returns e.g. `the transaction of process 4711 in database shop, at work since 2025-06-01 12:00:00+00`; `undefined`:
 *   there is none
 */
export async function oldestWriter(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ writer: string }>(
    `SELECT pg_catalog.concat(
              CASE WHEN l.pid IS NULL
                   THEN pg_catalog.format('the prepared transaction %L in database %I', p.gid, p.database)
                   ELSE pg_catalog.format('the transaction of process %s in database %I', l.pid, a.datname) END,
              ', at work since ' || COALESCE(a.xact_start, p.prepared)) AS writer
       FROM pg_catalog.pg_locks l
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
       LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = l.transactionid
      WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
        AND (a.datname IS NOT NULL OR p.gid IS NOT NULL)
      ORDER BY pg_catalog.age(l.transactionid) DESC LIMIT 1`,
  );
  return rows[0]?.writer;
}
