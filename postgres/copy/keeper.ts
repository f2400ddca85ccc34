import type { Client } from 'pg';
import { atSide, endPredecessors, quoteQualified, withConnection, type Endpoint } from '../connect';
import { isLoadComplete, withLedger, type LedgerIdentity } from '../ledger';
import { copyContendedTables } from './contended-tables';
import { lockSourceTables } from './lock-tables';
import { planLoad, type LoadLimits } from './plan-load';
import { checkPlannedTables, reconcile, type ChecksumTables } from './reconcile';
import { retireScope } from './retire-scope';
import { exportSnapshot, snapshotLost, type Scope } from './scope';
import { listSourceTables, sameTables, type SourceTable } from './source-tables';
import { isPlanned, storePlan } from './store-plan';
import { untilTargetSays } from './until-target-says';
import { watchSnapshot } from './watch-snapshot';

export interface HoldSnapshotArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** The load is planned by these, once, before the scope opens. */
  limits: LoadLimits;
  /** What the application names of earlier attempts of this keeper begin with; they are ended on both sides. */
  predecessorPrefix: string;
  /** What those of the sessions that copy parts begin with; they are ended before the new scope is opened. */
  writersPrefix: string;
  /** How long one table is waited for before the next attempt at all of them, milliseconds. */
  lockTimeout: number;
  checksumTables: ChecksumTables;
  /** Whether the target's tables stand already. */
  canCopy: (target: Client) => Promise<boolean>;
  signal: AbortSignal;
  /** The scope is open in the ledger; parts may be copied under it. */
  onHeld?: (scope: Scope) => void;
  /** Says, for a person, what is going on; once a second while the snapshot is held. */
  onProgress?: (what: string) => void;
}

type Attempt = HoldSnapshotArguments & { onProgress: (what: string) => void };

/**
 * The keeper: takes ACCESS SHARE on all tables that will be copied, then a snapshot, both in one session, opens a scope
 * for it in the ledger and holds it until the scope is complete. Lock before snapshot, or a TRUNCATE or a rewrite between
 * two parts duplicates and loses rows under one and the same snapshot. Then it lets go of the source, and looks after the
 * ledger: a target that fails over may lose what made the scope complete. Never returns.
 *
 * Whoever asks for an exclusive lock meanwhile waits for the keeper, and all other readers of that table wait for him:
 * what is left of it is copied by the keeper itself. Before there is a table on the target to copy it to, he is made way
 * for: the snapshot is given up, and the next keeper waits for its turn behind him.
 *
 * @throws FlexliftError SnapshotLost where its session or its scope is gone, SchemaDrift; the signal's reason when it fires
 */
export async function holdSnapshot(args: HoldSnapshotArguments): Promise<never> {
  const attempt: Attempt = { ...args, onProgress: args.onProgress ?? (() => undefined) };
  while ((await holdUnlessComplete(attempt)) === 'tables-changed') {
    args.signal.throwIfAborted();
    attempt.onProgress('the tables of the source changed while they were being locked; once more');
  }
  attempt.onProgress('all is copied');
  await untilTargetSays(attempt, async (target) => !(await isLoadComplete(target)));
  throw snapshotLost('The target has lost that all was copied.');
}

async function holdUnlessComplete(attempt: Attempt): Promise<'complete' | 'tables-changed'> {
  const { source, database, signal, predecessorPrefix, identity } = attempt;
  const isComplete = await onTarget(attempt, async (target) => {
    await endPredecessors(target, predecessorPrefix);
    return await withLedger(target, identity, () => isLoadComplete(target));
  });
  const onSource = <T>(work: (client: Client) => Promise<T>) =>
    withConnection(source, database, signal, work);
  if (!isComplete) return await onSource((holder) => hold(attempt, holder));
  // nothing of the source is needed any more, and least of all what a worker that stands still may hold there
  await onSource((client) => endPredecessors(client, predecessorPrefix)).catch(() => undefined);
  return 'complete';
}

async function hold(attempt: Attempt, holder: Client): Promise<'complete' | 'tables-changed'> {
  await endPredecessors(holder, attempt.predecessorPrefix);
  const tables = await lockSourceTables({ ...attempt, client: holder });
  const snapshot = await exportSnapshot(holder);
  if (!sameTables(await listSourceTables(holder), tables)) return 'tables-changed';
  const scope = await onTarget(attempt, (target) => settleScope(attempt, holder, target, snapshot, tables));
  if (scope === undefined) return 'complete';
  attempt.onHeld?.(scope);
  await watchSnapshot({
    ...attempt,
    holder,
    tables,
    scope,
    copyContended: (contended, signal) => copyContended({ ...attempt, signal }, holder, scope, contended),
  });
  return 'complete';
}

async function onTarget<T>(attempt: Attempt, work: (target: Client) => Promise<T>): Promise<T> {
  return await withConnection(attempt.target, attempt.database, attempt.signal, work);
}

/** @returns `undefined` where the load was complete before. */
async function settleScope(
  attempt: Attempt,
  source: Client,
  target: Client,
  snapshot: string,
  tables: SourceTable[],
): Promise<Scope | undefined> {
  const { identity, limits, signal, onProgress } = attempt;
  onProgress('opening a scope');
  // a dead keeper's scope may have been completed while tables were being locked: then others are at work whose names may
  // begin like those of the writers
  if (await withLedger(target, identity, () => isLoadComplete(target))) return undefined;
  const writers = { prefix: attempt.writersPrefix };
  if ((await retireScope(target, identity, writers)) === 'complete') return undefined;
  if (await isPlanned(target)) await checkPlannedTables(target, tables);
  else await storePlan({ target, identity, plan: await planLoad({ source, limits }) });
  return await reconcile({
    source,
    target,
    identity,
    snapshot,
    checksumTables: checksumsOnSource(attempt),
    signal,
    onProgress,
  });
}

function checksumsOnSource({ checksumTables }: Attempt): ChecksumTables {
  return (args) => {
    const [only] = args.tables.length === 1 ? args.tables : [];
    const object = only && quoteQualified(only.schema, only.name);
    return atSide('source', args.client, () => checksumTables(args), object);
  };
}

/** Of one table only: the snapshot is held for the others. */
async function copyContended(
  attempt: Attempt,
  source: Client,
  scope: Scope,
  tables: SourceTable[],
): Promise<'more-to-copy'> {
  const { identity, canCopy, signal, onProgress } = attempt;
  await onTarget(attempt, async (target) => {
    if (!(await canCopy(target))) {
      throw snapshotLost(
        'The snapshot was given up: somebody waits to lock a table exclusively, and it cannot be copied yet.',
      );
    }
    await copyContendedTables({
      source,
      target,
      identity,
      scope,
      tables,
      checksumTables: checksumsOnSource(attempt),
      signal,
      onProgress,
    });
  });
  return 'more-to-copy';
}
