import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { endPredecessors, quoteQualified, withConnection, type Endpoint } from '../connect';
import type { LedgerIdentity } from '../ledger';
import { atSide } from './at-side';
import { lockSourceTables } from './lock-tables';
import { checkPlannedTables, reconcile, retireScope, type ChecksumTable } from './reconcile';
import { snapshotLost, type Scope } from './scope';
import { listSourceTables, sameTables, type SourceTable } from './source-tables';

/** Milliseconds. */
const WATCH_INTERVAL = 1_000;
/** A session that has not answered for so long is given up, milliseconds. */
const WATCH_TIMEOUT = 60_000;

export interface HoldSnapshotArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** What the application names of earlier attempts of this keeper begin with; they are ended on both sides. */
  predecessorPrefix: string;
  /** What those of the sessions that copy parts begin with; they are ended before the new scope is opened. */
  writersPrefix: string;
  /** How long one table is waited for before the next attempt at all of them, milliseconds. */
  lockTimeout: number;
  checksumTable: ChecksumTable;
  signal: AbortSignal;
  /** The scope is open in the ledger; parts may be copied under it. */
  onHeld?: (scope: Scope) => void;
  /** Says, for a person, what is going on; once a second while the snapshot is held. */
  onProgress?: (what: string) => void;
}

type Attempt = HoldSnapshotArguments & { onProgress: (what: string) => void };

/**
 * The keeper: takes ACCESS SHARE on all tables that will be copied, then a snapshot, opens a scope for it in the ledger
 * and holds both until the signal fires. Lock before snapshot, or a TRUNCATE or a rewrite between two parts duplicates
 * and loses rows under one and the same snapshot. Returns only where the load was complete before.
 *
 * @throws FlexliftError SnapshotLost where one of its sessions is gone, SchemaDrift; the signal's reason when it fires
 */
export async function holdSnapshot(args: HoldSnapshotArguments): Promise<void> {
  const attempt: Attempt = { ...args, onProgress: args.onProgress ?? (() => undefined) };
  for (;;) {
    const outcome = await withConnection(args.source, args.database, args.signal, async (locks) => {
      await endPredecessors(locks, args.predecessorPrefix);
      const tables = await lockSourceTables({ ...attempt, client: locks });
      return await withConnection(args.source, args.database, args.signal, (holder) =>
        holdUnderLocks(attempt, locks, holder, tables),
      );
    });
    args.signal.throwIfAborted();
    if (outcome === 'complete') return;
    attempt.onProgress('the tables of the source changed while they were being locked; once more');
  }
}

async function holdUnderLocks(
  attempt: Attempt,
  locks: Client,
  holder: Client,
  tables: SourceTable[],
): Promise<'complete' | 'tables-changed'> {
  await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  const { rows } = await holder.query<{ snapshot: string }>(
    'SELECT pg_catalog.pg_export_snapshot() AS snapshot',
  );
  const snapshot = rows[0]?.snapshot ?? '';
  if (!sameTables(await listSourceTables(holder), tables)) return 'tables-changed';
  const scope = await settleScope(attempt, holder, snapshot, tables);
  if (scope === undefined) return 'complete';
  attempt.onHeld?.(scope);
  return await watch(attempt, [locks, holder], tables);
}

/** @returns `undefined` where the load was complete before. */
async function settleScope(
  attempt: Attempt,
  source: Client,
  snapshot: string,
  tables: SourceTable[],
): Promise<Scope | undefined> {
  const { identity, checksumTable, signal, onProgress } = attempt;
  return await withConnection(attempt.target, attempt.database, signal, async (target) => {
    onProgress('opening a scope');
    await endPredecessors(target, attempt.predecessorPrefix);
    if ((await retireScope(target, identity, attempt.writersPrefix)) === 'complete') return undefined;
    await checkPlannedTables(target, tables);
    const checksumOnSource: ChecksumTable = (args) =>
      atSide('source', source, () => checksumTable(args), quoteQualified(args.table.schema, args.table.name));
    return await reconcile({
      source,
      target,
      identity,
      snapshot,
      checksumTable: checksumOnSource,
      signal,
      onProgress,
    });
  });
}

async function watch(
  { signal, onProgress }: Attempt,
  sessions: Client[],
  tables: SourceTable[],
): Promise<never> {
  for (;;) {
    signal.throwIfAborted();
    onProgress(`holding the snapshot of ${tables.length} tables`);
    await Promise.all(sessions.map((session) => checkAlive(session, signal)));
    await pause(WATCH_INTERVAL, undefined, { signal });
  }
}

async function checkAlive(session: Client, signal: AbortSignal): Promise<void> {
  const deadline = new AbortController();
  const silence = pause(WATCH_TIMEOUT, undefined, { signal: deadline.signal }).then(
    () => Promise.reject(new Error('no answer')),
    () => undefined,
  );
  try {
    await Promise.race([session.query('SELECT 1'), silence]);
  } catch (error) {
    signal.throwIfAborted();
    throw snapshotLost('The session that held the locks or the snapshot is gone.', error);
  } finally {
    deadline.abort();
  }
}
