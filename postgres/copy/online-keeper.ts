import type { Client } from 'pg';
import { endPredecessors, withConnection, type Endpoint } from '../connect';
import { tableLoad, type LedgerIdentity } from '../ledger';
import { completeScope } from './complete-scope';
import { copyContendedTables } from './contended-tables';
import { lockAndSnapshot, type LockedSnapshot } from './exact-snapshot';
import { openExactScope, tablesToCopy, type OnlineTable } from './exact-scope';
import { retireScope } from './retire-scope';
import type { Scope } from './scope';
import { readSourceCounters } from './source-counters';
import { watchSnapshot } from './watch-snapshot';

export interface HoldTableSnapshotArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** On the source; the load is planned already. */
  tableOid: number;
  /** What the application names of earlier attempts of this keeper begin with; they are ended on both sides. */
  predecessorPrefix: string;
  /** What those of the sessions that copy parts begin with; those that copy this table are ended before a new scope opens. */
  writersPrefix: string;
  /** How long the table is waited for before the next attempt, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  /** The scope is open in the ledger; parts may be copied under it. */
  onHeld?: (scope: Scope) => void;
  /** Says, for a person, what is going on; once a second while the snapshot is held. */
  onProgress?: (what: string) => void;
}

type Attempt = HoldTableSnapshotArguments & { onProgress: (what: string) => void };

/**
 * The keeper of one large table of an online migration: takes ACCESS SHARE on it and then a snapshot at an exact LSN,
 * opens a scope for them in the ledger and holds both until the scope is complete or the signal fires. What was copied in
 * part under an earlier keeper is copied anew. Returns only where the table is wholly copied.
 *
 * Whoever asks for an exclusive lock meanwhile waits for the keeper, and all other readers of the table wait for him:
 * what is left of it is copied by the keeper itself, who then leaves. To hold on until the parts have reported would be a
 * ring that no server sees: their turn may come behind copies of other tables, whose snapshots wait for every transaction
 * that writes, and so for the one that waits for the keeper.
 *
 * @throws FlexliftError SnapshotLost where its session or its scope is gone, SchemaDrift; the signal's reason when it fires
 */
export async function holdTableSnapshot(args: HoldTableSnapshotArguments): Promise<void> {
  const attempt: Attempt = { ...args, onProgress: args.onProgress ?? (() => undefined) };
  await withConnection(args.source, args.database, args.signal, (holder) => hold(attempt, holder));
  args.signal.throwIfAborted();
}

async function hold(attempt: Attempt, holder: Client): Promise<void> {
  await endPredecessors(holder, attempt.predecessorPrefix);
  const table = await onTarget(attempt, (target) => takeOver(attempt, target));
  if (table === undefined) return;
  const counters = await readSourceCounters(holder, table.isAppendOnly ? [table] : []);
  const { migrationId } = attempt.identity;
  const locked = await lockAndSnapshot({ ...attempt, holder, migrationId, tables: [table] });
  const of = { tableOid: table.oid };
  const scope = await onTarget(attempt, (target) =>
    openExactScope({ ...attempt, ...locked, source: holder, target, of, counters }),
  );
  attempt.onHeld?.(scope);
  await watchSnapshot({
    ...attempt,
    holder,
    tables: locked.tables,
    scope,
    copyContended: (tables, signal) => copyContended({ ...attempt, signal }, holder, scope, tables),
  });
}

async function onTarget<T>(attempt: Attempt, work: (target: Client) => Promise<T>): Promise<T> {
  return await withConnection(attempt.target, attempt.database, attempt.signal, work);
}

/** Ends what an earlier keeper left. @returns the table; `undefined` where nothing of it is left to copy. */
async function takeOver(attempt: Attempt, target: Client): Promise<OnlineTable | undefined> {
  const { identity, tableOid, predecessorPrefix, writersPrefix } = attempt;
  await endPredecessors(target, predecessorPrefix);
  const writers = { prefix: writersPrefix, table: await tableLoad(target, tableOid) };
  await retireScope(target, identity, writers, { tableOid });
  const [table] = await tablesToCopy(target, { tableOid });
  return table;
}

async function copyContended(
  attempt: Attempt,
  source: Client,
  scope: Scope,
  tables: LockedSnapshot['tables'],
): Promise<'all-copied' | 'more-to-copy'> {
  return await onTarget(attempt, async (target) => {
    await copyContendedTables({ ...attempt, source, target, scope, tables });
    const { complete } = await completeScope({ target, identity: attempt.identity, scope: scope.scope });
    return complete ? 'all-copied' : 'more-to-copy';
  });
}
