import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { sourceObjectPrefix } from '../../contract';
import { importSnapshot } from '../copy';
import type { Lsn } from '../replicate/lsn';
import { withExactSnapshot } from '../replicate/pgoutput';
import { ProofRequest } from './proof-request';
import type { ProveTablesArguments } from './prove-tables';
import type { ProofSessions } from './proof-sessions';

/** Milliseconds; see `ProveTablesArguments`. */
const ANSWER_TIMEOUT = 30_000;
const HOLD_TIMEOUT = 20_000;
const REACH_TIMEOUT = 60_000;
const POLL_INTERVAL = 100;

/**
 * Puts both sessions under snapshots with exactly the same commits of the source: those before the LSN that is returned.
 * The applier stands still no longer than the source's snapshot takes.
 *
 * @returns `undefined` where writers on the source did not end in time, for the snapshot has to wait for them
 * @throws FlexliftError Contention where the applier does not answer, SnapshotLost
 */
export async function importBothSnapshots(
  args: ProveTablesArguments,
  sessions: ProofSessions,
): Promise<Lsn | undefined> {
  const { signal, holdTimeout = HOLD_TIMEOUT } = args;
  // a transaction that lasts is waited for while the applier still works
  if (!(await writersHaveEnded(sessions.source.lookout, holdTimeout, signal))) return undefined;
  const request = await ProofRequest.open(sessions.ledger, args.identity);
  try {
    await request.untilHeld(args.answerTimeout ?? ANSWER_TIMEOUT, signal);
    const lsn = await importSourceSnapshot(args, sessions.source.reader, request, holdTimeout);
    if (lsn === undefined) return undefined;
    await request.aim(lsn);
    const snapshot = await request.untilReached(args.reachTimeout ?? REACH_TIMEOUT, signal);
    await importSnapshot(sessions.target.reader, snapshot);
    return lsn;
  } finally {
    // where this fails, the applier goes on by itself, and the next request ends this one
    await request.end().catch(() => undefined);
  }
}

/** Have all transactions ended that had written, anywhere on the server, when this was called? */
async function writersHaveEnded(source: Client, timeout: number, signal: AbortSignal): Promise<boolean> {
  const end = Date.now() + timeout;
  let left = await writers(source);
  while (left.length > 0) {
    if (Date.now() > end) return false;
    await pause(POLL_INTERVAL, undefined, { signal });
    const now = new Set(await writers(source));
    left = left.filter((transaction) => now.has(transaction));
  }
  return true;
}

/** Transactions with an id, prepared ones too; whoever may not see the sessions of others sees their locks. */
async function writers(source: Client): Promise<string[]> {
  const { rows } = await source.query<{ transaction: string }>(
    `SELECT transactionid::pg_catalog.text AS transaction FROM pg_catalog.pg_locks
      WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted`,
  );
  return rows.map(({ transaction }) => transaction);
}

async function importSourceSnapshot(
  args: ProveTablesArguments,
  reader: Client,
  request: ProofRequest,
  timeout: number,
): Promise<Lsn | undefined> {
  const deadline = AbortSignal.timeout(timeout);
  const slotName = `${sourceObjectPrefix(args.migrationId)}_proof_${request.number.toString(16)}`;
  try {
    return await withExactSnapshot(
      {
        endpoint: args.source,
        database: args.database,
        signal: AbortSignal.any([args.signal, deadline]),
        slotName,
      },
      async ({ name, lsn }) => {
        await importSnapshot(reader, name);
        return lsn;
      },
    );
  } catch (error) {
    args.signal.throwIfAborted();
    if (deadline.aborted) return undefined;
    throw error;
  }
}
