import type { Client } from 'pg';
import type {
  DatabaseStep,
  FenceStep,
  LoadPlan,
  LoadStep,
  RecopyReset,
  RecopyStep,
  TableSnapshotStep,
} from '../contract';
import { checksumTable } from '../postgres/compare';
import { migrationPrefix } from '../postgres/connect';
import {
  copyLateRows,
  holdTableSnapshot,
  isPlanned,
  planOnlineLoad,
  resetTableForRecopy,
  storePlan,
} from '../postgres/copy';
import { checkRecopy } from '../postgres/prove';
import { findTable, remainingLoad } from '../postgres/ledger';
import { streamIdentities } from '../postgres/replicate/source';
import { costliestFirst } from '../postgres/schema';
import { startStreamAnew } from './source-objects';
import type { Run } from './support/run';

/** Only parts are copied by other sessions than the keeper's. */
const WRITERS = 'copyPart';

/** Divides the load, once; then says what is left of it. */
export async function planOnlineLoadStep({ database, tableOid }: LoadStep, run: Run): Promise<LoadPlan> {
  return await run.session('target', database, async (target) => {
    if (!(await isPlanned(target))) await planOnce(database, run, target);
    const plan = await remainingLoad(target, { checksums: false, tableOid });
    if (plan.largeTables.length === 0) return plan;
    return await run.session('source', database, (source) => costliestFirst({ source, target }, plan));
  });
}

async function planOnce(database: string, run: Run, target: Client): Promise<void> {
  const { limits, keylessTables, migrationId } = run.request;
  await run.session('source', database, async (source) => {
    // a table created since the publications were made has no changes to come: the plan refuses it
    const identities = await streamIdentities(source, { migrationId, keylessTables });
    const plan = await planOnlineLoad({ source, limits, identities });
    await storePlan({ target, identity: run.identity, plan });
  });
}

/** The keeper of one large table: ends when it is cancelled, when what it holds is lost, or when all is copied. */
export async function holdTableSnapshotStep({ database, table }: TableSnapshotStep, run: Run): Promise<void> {
  await holdTableSnapshot({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    tableOid: table.oid,
    predecessorPrefix: run.workPrefix,
    writersPrefix: `${migrationPrefix(run.request.migrationId)}${WRITERS}`,
    lockTimeout: run.request.timeouts.lock,
    signal: run.signal,
    onProgress: (what) => run.progress({ what }),
  });
}

/** Asked before all tables are copied anew: what keeps from it is for a person to mend, while nothing is lost yet. */
export async function checkRecopyStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await run.sessions(database, (source, target) => checkRecopy({ source, target }));
}

/** Makes the load copy a table anew; without one all of them, from a new slot on. */
export async function resetForRecopyStep(step: RecopyStep, run: Run): Promise<RecopyReset | undefined> {
  const { database, table, order, doubtful } = step;
  const { identity } = run;
  if (table === undefined) {
    await startStreamAnew(step, run, order);
    return undefined;
  }
  return await run.sessions(database, async (source, target) => {
    const { oid: tableOid } = await findTable(target, table);
    if (doubtful !== true) await checkRecopy({ source, target, tableOid });
    await resetTableForRecopy({ target, identity, tableOid, order });
    return { tableOid };
  });
}

/** What the stream does not carry, compared and copied anew where it differs. */
export async function copyLateRowsStep({ database, attempt, fence }: FenceStep, run: Run): Promise<void> {
  const { noOwner, noPrivileges } = run.request;
  await run.sessions(database, (source, target) =>
    copyLateRows({
      source,
      target,
      identity: run.identity,
      attempt,
      noOwner,
      noPrivileges,
      predecessorPrefix: run.workPrefix,
      checksumTable,
      // sessions of before that were not ended may not have told the server what they counted
      trustsCounters: fence !== 'none',
      signal: run.signal,
      onProgress: (what) => run.progress({ what }),
    }),
  );
}
