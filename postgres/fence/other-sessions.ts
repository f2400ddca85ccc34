import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { PROVIDER_ROLES } from '../catalog';
import { migrationPrefix } from '../connect';
import { sqlStateOf } from '../database';
import { fenceRefused } from './refused';

/** Milliseconds. */
const PATIENCE = 15_000;
const INTERVAL = 10;
/** Sessions named in a failure. */
const NAMED = 5;

export interface OtherSession {
  pid: number;
  user: string;
  application: string;
}

export interface EndEarlierSessions {
  client: Client;
  migrationId: string;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}

/**
 * Ends every session that may have begun before the fence was committed, and waits until it is gone, and with it its
 * transaction. Whoever connects later reads the fence's settings and may stay.
 *
 * When a session began is hidden from who lacks pg_read_all_stats. So: all that are there now. A session that is just
 * beginning may have read the settings of before and not be in pg_stat_activity yet; from before it reads them until
 * after it appears there, it holds a lock on its database (`InitPostgres` in postinit.c). So locks are read first.
 *
 * @returns how many were ended
 * @throws FlexliftError CutoverRefused naming those that are still there after 15 s
 */
export async function endEarlierSessions(args: EndEarlierSessions): Promise<number> {
  const { client, migrationId, signal, onProgress } = args;
  const earlier = new Set(await startingSessions(client));
  for (const { pid } of await otherSessions(client, migrationId)) earlier.add(pid);
  const ended = new Set<number>();
  for (const deadline = Date.now() + PATIENCE; ;) {
    signal.throwIfAborted();
    const starting = (await startingSessions(client)).filter((pid) => earlier.has(pid));
    const left = (await otherSessions(client, migrationId)).filter(({ pid }) => earlier.has(pid));
    if (starting.length === 0 && left.length === 0) return ended.size;
    onProgress(`ending ${left.length + starting.length} sessions`);
    for (const pid of await terminate(client, left)) ended.add(pid);
    if (Date.now() > deadline) throw stillThere(client, left, ended);
    await sleep(INTERVAL, undefined, { signal });
  }
}

/**
 * All sessions in the connected database but ours, a provider's, walsenders that stream, and autovacuum, which has no user:
 * clients, workers of subscriptions and extensions, parallel workers.
 */
export async function otherSessions(client: Client, migrationId: string): Promise<OtherSession[]> {
  const { rows } = await client.query<OtherSession>(OTHER_SESSIONS, [
    migrationPrefix(migrationId),
    PROVIDER_ROLES,
  ]);
  return rows;
}

const OTHER_SESSIONS = `
  SELECT a.pid, COALESCE(a.usename, '') AS user, COALESCE(a.application_name, '') AS application
    FROM pg_catalog.pg_stat_activity a
   WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
     AND a.usesysid IS NOT NULL AND a.usename <> ALL ($2)
     AND NOT (pg_catalog.starts_with(a.application_name, $1) AND a.usename = session_user)
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s
                       JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
                      WHERE s.active_pid = a.pid)
   ORDER BY a.pid`;

/** Nothing else takes this lock in this mode. */
async function startingSessions(client: Client): Promise<number[]> {
  const { rows } = await client.query<{ pid: number }>(
    `SELECT l.pid
       FROM pg_catalog.pg_locks l
       JOIN pg_catalog.pg_database d ON d.oid = l.objid AND d.datname = pg_catalog.current_database()
      WHERE l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::pg_catalog.regclass
        AND l.mode = 'RowExclusiveLock' AND l.granted`,
  );
  return rows.map(({ pid }) => pid);
}

/** @returns those that got the signal */
async function terminate(client: Client, sessions: OtherSession[]): Promise<number[]> {
  const pids = sessions.map(({ pid }) => pid);
  try {
    return await terminateAll(client, pids);
  } catch (error) {
    // one that we may not end hides all others
    if (sqlStateOf(error) !== '42501') throw error;
    const reached: number[] = [];
    for (const pid of pids) reached.push(...(await terminateAll(client, [pid]).catch(passOverForbidden)));
    return reached;
  }
}

async function terminateAll(client: Client, pids: number[]): Promise<number[]> {
  const { rows } = await client.query<{ pid: number; sent: boolean }>(
    'SELECT pid, pg_catalog.pg_terminate_backend(pid) AS sent FROM pg_catalog.unnest($1::pg_catalog.int4[]) AS pid',
    [pids],
  );
  return rows.filter(({ sent }) => sent).map(({ pid }) => pid);
}

function passOverForbidden(error: unknown): number[] {
  if (sqlStateOf(error) === '42501') return [];
  throw error;
}

function stillThere(client: Client, left: OtherSession[], ended: ReadonlySet<number>): Error {
  const forbidden = left.some(({ pid }) => !ended.has(pid));
  const names = left
    .slice(0, NAMED)
    .map(({ pid, user, application }) => `process ${pid} of user ${JSON.stringify(user)} (${application})`);
  return fenceRefused(
    client,
    `${left.length} sessions on the source ${forbidden ? 'may not be ended by us' : 'did not end when told to'}: ${names.join(', ')}.`,
    forbidden
      ? "End them, or grant pg_signal_backend to the user of this migration (a superuser's sessions end only by a superuser), and cut over again."
      : 'End them, and cut over again.',
  );
}
