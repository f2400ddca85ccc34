import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, type Client } from 'pg';
import { quoteQualified } from '../../connect';
import { inTransaction } from '../../ledger';

/** What a change of a publication takes. Readers and writers go on beside it. */
export const PUBLISHING_LOCK = 'SHARE UPDATE EXCLUSIVE';
/** What a change of a replica identity takes. Nobody even reads beside it. */
export const IDENTITY_LOCK = 'ACCESS EXCLUSIVE';

type LockMode = typeof PUBLISHING_LOCK | typeof IDENTITY_LOCK;

/**
 * While we wait for ACCESS EXCLUSIVE the application waits behind us. A second is what a server takes to stop an
 * autovacuum that is in the way (deadlock_timeout). Milliseconds.
 */
const LONGEST_EXCLUSIVE_WAIT = 1_500;
/** So much longer than it was kept waiting the application has for itself then. */
const REST = 3;

const LOCK_NOT_AVAILABLE = '55P03';
/** Dropped or renamed between the list and the lock. */
const TABLE_GONE = new Set(['42P01', '3F000']);

const CONFLICTING_MODES: Record<LockMode, string[] | null> = {
  'SHARE UPDATE EXCLUSIVE': [
    'ShareUpdateExclusiveLock',
    'ShareLock',
    'ShareRowExclusiveLock',
    'ExclusiveLock',
    'AccessExclusiveLock',
  ],
  'ACCESS EXCLUSIVE': null,
};

export interface AlterationArguments {
  /** A session on the source, not in a transaction. */
  client: Client;
  /** How long one table is waited for before the next attempt, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  /** Says, for a person, what is being done or waited for. */
  onProgress: (what: string) => void;
}

interface Table {
  oid: number;
  schema: string;
  name: string;
}

/**
 * Runs `work` in a transaction that holds the locks of all these tables, if it gets them at once.
 *
 * @returns false where somebody holds one of them, or one is gone: nothing was done
 */
export async function tryAltering(
  client: Client,
  tables: Table[],
  work: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await altering(client, async () => {
      await lockTables(client, tables, `${PUBLISHING_LOCK} MODE NOWAIT`);
      await work();
    });
    return true;
  } catch (error) {
    if (isNotAvailable(error) || isGone(error)) return false;
    throw error;
  }
}

/**
 * Runs `work` in a transaction that holds the lock of one table, for which it waits as long as it takes, holding
 * nothing else meanwhile. A table that is gone is left alone.
 */
export async function alterTable(
  args: AlterationArguments,
  table: Table,
  mode: LockMode,
  work: () => Promise<unknown>,
): Promise<void> {
  const { client, signal } = args;
  const longest = mode === IDENTITY_LOCK ? LONGEST_EXCLUSIVE_WAIT : args.lockTimeout;
  const timeout = Math.min(args.lockTimeout, longest);
  for (;;) {
    signal.throwIfAborted();
    try {
      await altering(client, async () => {
        await client.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [String(timeout)]);
        await lockTables(client, [table], `${mode} MODE`);
        await work();
      });
      return;
    } catch (error) {
      if (isGone(error)) return;
      if (!isNotAvailable(error)) throw error;
      args.onProgress(await describeHolder(client, table, mode));
      await pause(mode === IDENTITY_LOCK ? REST * timeout : 0, undefined, { signal });
    }
  }
}

/** A transaction that may write, on a session that is read-only by default; and so may the database be. */
export async function altering<T>(client: Client, work: () => Promise<T>): Promise<T> {
  return await inTransaction(client, work, 'BEGIN READ WRITE');
}

async function lockTables(client: Client, tables: Table[], mode: string): Promise<void> {
  if (tables.length === 0) return;
  const names = tables.map((table) => `ONLY ${quoteQualified(table.schema, table.name)}`);
  await client.query(`LOCK TABLE ${names.join(', ')} IN ${mode}`);
}

async function describeHolder(client: Client, table: Table, mode: LockMode): Promise<string> {
  const { rows } = await client.query<{ pid: number | null; application: string | null }>(
    `SELECT l.pid, a.application_name AS application
       FROM pg_catalog.pg_locks l
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.relation = $1 AND l.granted
        AND ($2::text[] IS NULL OR l.mode = ANY ($2))
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      LIMIT 1`,
    [table.oid, CONFLICTING_MODES[mode]],
  );
  const what = `waiting for table ${quoteQualified(table.schema, table.name)}`;
  const [holder] = rows;
  if (holder === undefined) return what;
  if (holder.pid === null) return `${what}, locked by a prepared transaction`;
  const application = holder.application === null ? '' : ` (${JSON.stringify(holder.application)})`;
  return `${what}, locked by process ${holder.pid}${application}`;
}

function isNotAvailable(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === LOCK_NOT_AVAILABLE;
}

function isGone(error: unknown): boolean {
  return error instanceof DatabaseError && TABLE_GONE.has(error.code ?? '');
}
