import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { migrationPrefix } from '../../connect';

/** Milliseconds. */
const RETRY_INTERVAL = 100;

/**
 * Lets one session at a time make or take away what a migration has on its source, until that session ends. An attempt
 * that was given up may still be at it: it is ended, and the last to come has its way.
 */
export async function takeSourceTurn(
  client: Client,
  args: { migrationId: string; signal: AbortSignal },
): Promise<void> {
  const key = ['flexlift source', args.migrationId];
  for (;;) {
    args.signal.throwIfAborted();
    const { rows } = await client.query<{ taken: boolean }>(
      'SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext($1), pg_catalog.hashtext($2)) AS taken',
      key,
    );
    if (rows[0]?.taken === true) return;
    await client.query(
      `SELECT pg_catalog.pg_terminate_backend(l.pid)
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
          AND l.classid = pg_catalog.hashtext($1)::pg_catalog.oid
          AND l.objid = pg_catalog.hashtext($2)::pg_catalog.oid
          AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
          AND pg_catalog.starts_with(a.application_name, $3)`,
      [...key, migrationPrefix(args.migrationId)],
    );
    await pause(RETRY_INTERVAL, undefined, { signal: args.signal });
  }
}
