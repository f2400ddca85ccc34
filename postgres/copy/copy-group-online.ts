import type { Client } from 'pg';
import type { Amounts } from '../../contract';
import { endPredecessors, withConnection, type Endpoint } from '../connect';
import type { LedgerIdentity } from '../ledger';
import { completeScope } from './complete-scope';
import { copyTables } from './copy-tables';
import { openExactScope, tablesToCopy, type OnlineTable } from './exact-scope';
import { lockAndSnapshot } from './exact-snapshot';
import type { Pace } from './pace';
import { retireScope } from './retire-scope';
import type { Scope } from './scope';
import { readSourceCounters } from './source-counters';

export interface CopyGroupOnlineArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** Its number in the plan. */
  group: number;
  /** This one of its tables alone: what keeps another from being copied is not to keep it. */
  tableOid?: number;
  /** What the application names of earlier attempts at this group begin with; they are ended on both sides. */
  predecessorPrefix: string;
  /** How long one table is waited for before the next attempt at all of them, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  pace?: Pace;
  /** What is going on, and what is copied so far. */
  onProgress?: (progress: { what: string; rows: number; bytes: number }) => void;
}

/**
 * Copies what is left of a group of small tables under a scope of its own: locks, snapshot and rows in one session, so
 * that nobody's wait for an exclusive lock can come between. Tables that an earlier attempt finished stay as they are,
 * each with the LSN of its own copy.
 *
 * @throws FlexliftError SnapshotLost where a later attempt took over, SchemaDrift, and what either server throws
 */
export async function copyGroupOnline(args: CopyGroupOnlineArguments): Promise<Amounts> {
  const { source, target, database, signal } = args;
  return await withConnection(source, database, signal, async (holder) => {
    await endPredecessors(holder, args.predecessorPrefix);
    return await withConnection(target, database, signal, (client) => copyGroup(args, holder, client));
  });
}

async function copyGroup(args: CopyGroupOnlineArguments, source: Client, target: Client): Promise<Amounts> {
  const { identity, group, predecessorPrefix, onProgress } = args;
  const of = { group };
  await endPredecessors(target, predecessorPrefix);
  await retireScope(target, identity, { prefix: predecessorPrefix }, of);
  const left = await tablesToCopy(target, of);
  const tables = args.tableOid === undefined ? left : left.filter(({ oid }) => oid === args.tableOid);
  if (tables.length === 0) return { tables: 0, rows: 0, bytes: 0 };
  const say = (what: string) => onProgress?.({ what, rows: 0, bytes: 0 });
  const scope = await openGroupScope(args, source, target, tables, say);
  const copied = await copyTables({
    ...{ source, target, identity, tables, onProgress },
    ...{ scope: scope.scope, signal: args.signal, pace: args.pace },
  });
  await completeScope({ target, identity, scope: scope.scope });
  return copied;
}

async function openGroupScope(
  args: CopyGroupOnlineArguments,
  holder: Client,
  target: Client,
  tables: OnlineTable[],
  onProgress: (what: string) => void,
): Promise<Scope> {
  const { identity, group } = args;
  const counters = await readSourceCounters(
    holder,
    tables.filter((table) => table.isAppendOnly),
  );
  const locked = await lockAndSnapshot({
    ...args,
    holder,
    migrationId: identity.migrationId,
    tables,
    onProgress,
  });
  return await openExactScope({
    source: holder,
    target,
    identity,
    of: { group },
    tables,
    snapshot: locked.snapshot,
    lsn: locked.lsn,
    timeline: locked.timeline,
    counters,
  });
}
