import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { migrationPrefix, withConnection, type Endpoint } from '../../connect';

/** Milliseconds. */
const REPORT_INTERVAL = 1_000;
const RETRY_INTERVAL = 100;

const ALL_SLOTS_IN_USE = '53400';
const SLOT_IN_USE = '55006';
const NO_SUCH_SLOT = '42704';

export interface SlotState {
  /** All before it may be gone from the server. Absent while the slot is being made. */
  confirmedLsn?: string;
  /** The server has removed WAL that it needs. */
  lost: boolean;
}

/** `undefined`: there is no such slot of the connected database. */
export async function slotState(client: Client, slot: string): Promise<SlotState | undefined> {
  // wal_status is there from 13 on: a row as JSON has what there is
  const { rows } = await client.query<{ lsn: string | null; status: string | null }>(
    `SELECT s.confirmed_flush_lsn::pg_catalog.text AS lsn, pg_catalog.to_jsonb(s) ->> 'wal_status' AS status
       FROM pg_catalog.pg_replication_slots s
      WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database()`,
    [slot],
  );
  const [row] = rows;
  return row && { confirmedLsn: row.lsn ?? undefined, lost: row.status === 'lost' };
}

/**
 * Makes the permanent slot. It takes as long as the server's oldest transaction that has written, whatever its database;
 * a call that is cancelled or whose session ends leaves none behind.
 *
 * @returns the slot's position: it sends all that commits after it.
 */
export async function createSlot(args: {
  source: Endpoint;
  database: string;
  /** Not in a transaction. */
  client: Client;
  slot: string;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}): Promise<string> {
  const { client, slot, onProgress } = args;
  onProgress('creating the replication slot');
  const { rows: sessions } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid');
  const done = new AbortController();
  const reports = reportWaits({ ...args, pid: sessions[0]?.pid ?? 0, done: done.signal });
  try {
    const { rows } = await client.query<{ lsn: string }>(
      `SELECT lsn::pg_catalog.text AS lsn FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')`,
      [slot],
    );
    return rows[0]?.lsn ?? '0/0';
  } catch (error) {
    throw error instanceof DatabaseError && error.code === ALL_SLOTS_IN_USE ? noFreeSlot(error) : error;
  } finally {
    done.abort();
    await reports;
  }
}

/**
 * Drops a slot; ends who reads it, if that is this migration. Repeating it is harmless.
 *
 * @throws FlexliftError Contention where somebody else reads it
 */
export async function dropSlot(
  client: Client,
  args: { slot: string; migrationId: string; signal: AbortSignal },
): Promise<void> {
  for (;;) {
    args.signal.throwIfAborted();
    try {
      await client.query(
        `SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = $1`,
        [args.slot],
      );
      return;
    } catch (error) {
      const state = error instanceof DatabaseError ? error.code : undefined;
      if (state === NO_SUCH_SLOT) return;
      if (state !== SLOT_IN_USE) throw error;
    }
    await endReader(client, args);
    await pause(RETRY_INTERVAL, undefined, { signal: args.signal });
  }
}

async function endReader(client: Client, args: { slot: string; migrationId: string }): Promise<void> {
  const { rows } = await client.query<{ pid: number; application: string | null; ours: boolean }>(
    `SELECT s.active_pid AS pid, a.application_name AS application,
            COALESCE(pg_catalog.starts_with(a.application_name, $2), false) AS ours
       FROM pg_catalog.pg_replication_slots s
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
      WHERE s.slot_name = $1 AND s.active_pid IS NOT NULL`,
    [args.slot, migrationPrefix(args.migrationId)],
  );
  const [reader] = rows;
  if (reader === undefined) return;
  if (reader.ours) {
    await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [reader.pid]);
    return;
  }
  throw new FlexliftError({
    code: 'Contention',
    sentence: `The replication slot ${args.slot} is read by process ${reader.pid} (${JSON.stringify(reader.application ?? '')}), which is not of this migration.`,
    remedy: 'End that process; it is tried again.',
    side: 'source',
  });
}

/** Says, from a session of its own, what the slot's creation waits for. Never fails: it only tells. */
async function reportWaits(args: {
  source: Endpoint;
  database: string;
  pid: number;
  signal: AbortSignal;
  done: AbortSignal;
  onProgress: (what: string) => void;
}): Promise<void> {
  const { source, database, signal, done, onProgress } = args;
  const rest = () => pause(REPORT_INTERVAL, undefined, { signal: done }).catch(() => undefined);
  await rest();
  while (!done.aborted && !signal.aborted) {
    await withConnection(source, database, signal, async (client) => {
      while (!done.aborted) {
        const blocker = await describeBlocker(client, args.pid);
        if (blocker !== undefined) onProgress(`the replication slot waits for the end of ${blocker}`);
        await rest();
      }
    }).catch(rest);
  }
}

async function describeBlocker(client: Client, pid: number): Promise<string | undefined> {
  const { rows } = await client.query<{
    pid: number;
    application: string | null;
    database: string | null;
    seconds: number | null;
    gid: string | null;
  }>(
    `SELECT blocker.pid, a.application_name AS application, COALESCE(a.datname, p.database) AS database, p.gid,
            EXTRACT(epoch FROM pg_catalog.clock_timestamp() - COALESCE(a.xact_start, p.prepared))::integer AS seconds
       FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS blocker(pid)
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = blocker.pid
       LEFT JOIN pg_catalog.pg_prepared_xacts p ON blocker.pid = 0 AND p.transaction = (
              SELECT l.transactionid FROM pg_catalog.pg_locks l
               WHERE l.pid = $1 AND NOT l.granted AND l.locktype = 'transactionid')
      LIMIT 1`,
    [pid],
  );
  const [blocker] = rows;
  if (blocker === undefined) return undefined;
  const details = [
    blocker.application === null || blocker.application === ''
      ? undefined
      : JSON.stringify(blocker.application),
    blocker.database === null ? undefined : `database ${JSON.stringify(blocker.database)}`,
    blocker.seconds === null ? undefined : `${blocker.seconds} s old`,
  ].filter((detail) => detail !== undefined);
  const who =
    blocker.pid === 0
      ? `the prepared transaction ${JSON.stringify(blocker.gid ?? '')}`
      : `a transaction of process ${blocker.pid}`;
  return details.length === 0 ? who : `${who} (${details.join(', ')})`;
}

function noFreeSlot(cause: unknown): FlexliftError {
  return new FlexliftError(
    {
      code: 'ResourceExhausted',
      sentence: 'All replication slots of the source are in use.',
      remedy: 'Drop slots that nothing reads, or raise max_replication_slots and restart the source.',
      side: 'source',
      sqlState: ALL_SLOTS_IN_USE,
    },
    { cause },
  );
}
