import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { listSourceTables, type SourceTable } from './source-tables';

const TABLES_PER_STATEMENT = 200;
/** Milliseconds. */
const RETRY_INTERVAL = 250;

const LOCK_NOT_AVAILABLE = '55P03';
/** Out of memory: here, of that shared by all locks. */
const LOCK_TABLE_FULL = '53200';
/** Dropped or renamed between the list and the lock. */
const TABLE_GONE = new Set(['42P01', '3F000']);

interface LockHolder {
  oid: number;
  /** Of a prepared transaction there is none. */
  pid: number | null;
  application: string | null;
}

export interface LockTablesArguments {
  /** Not in a transaction. */
  client: Client;
  /** Only these, as far as they exist; absent: all. */
  oids?: number[];
  /** How long one table is waited for before the next attempt at all of them, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  /** Says, for a person, which table is held by whom. */
  onProgress: (what: string) => void;
}

/**
 * Begins the transaction of a snapshot: takes ACCESS SHARE on all tables that will be copied, before anything has made
 * its snapshot exist (LOCK makes none). Tries without end, and never waits while it holds anything: the application
 * cannot end up in a deadlock with us, nor behind a lock of ours that waits for another.
 *
 * @returns the locked tables; the transaction is open, REPEATABLE READ, and still without a snapshot.
 */
export async function lockSourceTables(args: LockTablesArguments): Promise<SourceTable[]> {
  const { client, signal } = args;
  for (;;) {
    signal.throwIfAborted();
    const tables = await listSourceTables(client, args.oids);
    args.onProgress(`locking ${tables.length} tables`);
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      await lockAll(client, tables, 'NOWAIT');
      return tables;
    } catch (error) {
      const state = error instanceof DatabaseError ? error.code : undefined;
      if (state === LOCK_TABLE_FULL) throw lockTableFull(tables.length, error);
      if (state !== LOCK_NOT_AVAILABLE && !TABLE_GONE.has(state ?? '')) throw error;
      await client.query('ROLLBACK');
      if (state === LOCK_NOT_AVAILABLE) await waitForHeldTable(args, tables);
    }
  }
}

/**
 * Tables that somebody waits to lock exclusively: until that request is met or given up, no session but one that holds
 * the table already can even read it.
 */
export async function contendedTables(client: Client, tables: SourceTable[]): Promise<SourceTable[]> {
  const { rows } = await client.query<{ oid: number }>(
    `SELECT DISTINCT relation AS oid FROM pg_catalog.pg_locks
      WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND NOT granted
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())`,
  );
  const contended = new Set(rows.map((row) => row.oid));
  return tables.filter((table) => contended.has(table.oid));
}

async function lockAll(client: Client, tables: SourceTable[], wait: 'NOWAIT' | ''): Promise<void> {
  for (let first = 0; first < tables.length; first += TABLES_PER_STATEMENT) {
    const names = tables
      .slice(first, first + TABLES_PER_STATEMENT)
      .map((table) => `ONLY ${quoteQualified(table.schema, table.name)}`);
    await client.query(`LOCK TABLE ${names.join(', ')} IN ACCESS SHARE MODE ${wait}`);
  }
}

/** Waits in the queue for the first table that somebody holds, with no other lock, and lets it go again. */
async function waitForHeldTable(args: LockTablesArguments, tables: SourceTable[]): Promise<void> {
  const { client, lockTimeout, signal, onProgress } = args;
  const holder = await firstHolder(client, tables);
  const table = tables.find((each) => each.oid === holder?.oid);
  if (holder === undefined || table === undefined) {
    await pause(RETRY_INTERVAL, undefined, { signal });
    return;
  }
  const application = holder.application === null ? '' : ` (${JSON.stringify(holder.application)})`;
  const who = holder.pid === null ? 'a prepared transaction' : `process ${holder.pid}${application}`;
  onProgress(`waiting for table ${quoteQualified(table.schema, table.name)}, locked by ${who}`);
  await client.query('BEGIN');
  try {
    await client.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [String(lockTimeout)]);
    await lockAll(client, [table], '');
  } catch (error) {
    const state = error instanceof DatabaseError ? error.code : undefined;
    if (state !== LOCK_NOT_AVAILABLE && !TABLE_GONE.has(state ?? '')) throw error;
  } finally {
    await client.query('ROLLBACK');
  }
}

/** ACCESS EXCLUSIVE is all that stands in our way, and a request for it that waits does so as well. */
async function firstHolder(client: Client, tables: SourceTable[]): Promise<LockHolder | undefined> {
  const { rows } = await client.query<LockHolder>(
    `SELECT l.relation AS oid, l.pid, a.application_name AS application
       FROM pg_catalog.pg_locks l
       LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
      WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.relation = ANY ($1::oid[])
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
      ORDER BY l.granted DESC
      LIMIT 1`,
    [tables.map((table) => table.oid)],
  );
  return rows[0];
}

function lockTableFull(tables: number, cause: unknown): FlexliftError {
  return new FlexliftError(
    {
      code: 'ResourceExhausted',
      sentence: `The source has no room for locks on its ${tables} tables.`,
      remedy: 'Raise max_locks_per_transaction on the source and restart it; the work goes on by itself.',
      side: 'source',
      sqlState: LOCK_TABLE_FULL,
    },
    { cause },
  );
}
