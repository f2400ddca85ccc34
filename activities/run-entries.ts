import type { Client } from 'pg';
import type {
  DatabaseStep,
  EntriesResult,
  EntriesStep,
  ForeignKeysResult,
  IndexStep,
  MigrationRequest,
} from '../contract';
import { isReplicaRoleAllowed, noteLoadEnd } from '../postgres/ledger';
import {
  addForeignKeys,
  buildKeyIndex,
  checkForeignKeys,
  foreignKeysLeft,
  runBeforeReplication,
  runEntry,
  runForeignKeys,
  runPostData,
  runPreData,
  useBuildResources,
  type EntryProgress,
} from '../postgres/schema';
import type { Run } from './support/run';
import { sessionsOnTarget } from './support/target-sessions';

export async function runPreDataStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await run.session('target', database, (client) => runPreData({ client, ...entryOptions(run) }));
}

export async function runPostDataStep({ database, until }: EntriesStep, run: Run): Promise<EntriesResult> {
  const options = entryOptions(run);
  const builds = whileLoading(database, run.request);
  return await buildSession(run, builds, async (client) => {
    // behind that stage none is left
    const tables = until === 'foreign-keys' ? await addForeignKeys({ client, ...options }) : [];
    const sessions = Math.min(run.request.limits.indexesAtOnce, tables.length);
    await sessionsOnTarget(run, database, sessions, async (clients) => {
      for (const each of clients) await useBuildResources(each, builds.atOnce);
      await checkForeignKeys({ clients, ...options }, tables);
    });
    return await runPostData({ client, until, ...options });
  });
}

export async function buildIndexStep({ database, entry }: IndexStep, run: Run): Promise<void> {
  await buildSession(run, whileLoading(database, run.request), (client) =>
    runEntry({ client, dumpId: entry.dumpId, ...entryOptions(run) }),
  );
}

/** Of a constraint that `buildIndexStep` then makes of it. */
export async function buildKeyIndexStep({ database, entry }: IndexStep, run: Run): Promise<void> {
  await buildSession(run, whileLoading(database, run.request), (client) =>
    buildKeyIndex({ client, dumpId: entry.dumpId, ...entryOptions(run) }),
  );
}

/** All that changes of its tables do not need to wait for. */
export async function runBeforeReplicationStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await buildSession(run, whileLoading(database, run.request), async (client) => {
    await runBeforeReplication({ client, ...entryOptions(run) });
    await noteLoadEnd(client, run.identity);
  });
}

/**
 * Where the applier may act as a replica it fires no foreign key, so that they can be there from now on; elsewhere they
 * would refuse changes that come in another order than on the source, and wait for the cutover. So does one that does
 * not hold yet.
 */
export async function buildForeignKeysStep({ database }: DatabaseStep, run: Run): Promise<ForeignKeysResult> {
  return await buildSession(run, whileLoading(database, run.request), async (client) => {
    if (!(await isReplicaRoleAllowed(client))) return { waiting: await foreignKeysLeft(client) };
    const { left } = await runForeignKeys({ client, ...entryOptions(run) });
    return { waiting: left };
  });
}

/** A session for what may take long to sort, while so many do at most on the whole server. */
async function buildSession<T>(
  run: Run,
  { database, atOnce }: { database: string; atOnce: number },
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return await run.session('target', database, async (client) => {
    await useBuildResources(client, atOnce);
    return await work(client);
  });
}

/** Builds of the databases that load, of which the request bounds the number. */
function whileLoading(database: string, { limits, databases }: MigrationRequest) {
  const loading = Math.min(limits.databasesAtOnce, Math.max(1, databases?.length ?? Infinity));
  return { database, atOnce: limits.indexesAtOnce * loading };
}

export function entryOptions(run: Run) {
  return {
    identity: run.identity,
    signal: run.signal,
    onProgress: ({ object, done, total }: EntryProgress) =>
      run.progress({ what: `${done} of ${total}: ${object ?? 'done'}` }),
  };
}
