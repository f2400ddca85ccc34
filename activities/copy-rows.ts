import type { Client } from 'pg';
import type { Amounts, GroupStep, LargeObjectStep, PartResult, PartStep, TableStep } from '../contract';
import { describeAndChecksum } from '../postgres/compare';
import {
  copyGroupOnline,
  copyLargeObjects,
  copyPart,
  copyTables,
  partOfCompleteScope,
  tableBatches,
  type CopiedPart,
  type Pace,
} from '../postgres/copy';
import {
  hasSourceChecksum,
  isLoadComplete,
  saveSourceChecksums,
  tableLoad,
  unfinishedTablesOfGroup,
  type SizedTable,
  type TableLoad,
} from '../postgres/ledger';
import { runTableEntries } from '../postgres/schema';
import type { Run } from './support/run';
import {
  withAnySnapshot,
  withSnapshot,
  type SnapshotSessions,
  type SnapshotWanted,
} from './support/snapshot';

export async function copyPartStep({ database, table, part }: PartStep, run: Run): Promise<PartResult> {
  const { rows, bytes, scope } = await run.paced((pace) =>
    withSnapshot(run, database, ofPart(table.oid, part, run), async (sessions) =>
      copyOnePart({ ...sessions, pace }, run, await tableLoad(sessions.target, table.oid), part),
    ),
  );
  return { tables: 0, rows, bytes, scope };
}

function ofPart(tableOid: number, part: number, run: Run): SnapshotWanted<CopiedPart> {
  const settled = (target: Client) => partOfCompleteScope(target, run.identity, { tableOid, part });
  return run.request.mode === 'Offline' ? { settled } : { tableOid, settled };
}

/** Offline: a workflow that was reset asks again for what it has copied before. */
async function nothingLeft(target: Client): Promise<Amounts | undefined> {
  return (await isLoadComplete(target)) ? { tables: 0, rows: 0, bytes: 0 } : undefined;
}

export async function checksumSourceTableStep({ database, table }: TableStep, run: Run): Promise<void> {
  // the keeper takes it itself where somebody waits to lock the table: behind him nobody else can read it
  const settled = async (target: Client) => ((await hasSourceChecksum(target, table.oid)) ? true : undefined);
  await withSnapshot(run, database, { settled }, async (sessions) => {
    await takeSourceChecksums(sessions, run, [await tableLoad(sessions.target, table.oid)]);
    return true;
  });
}

/** All rows, then the source's checksums, then the indexes. What an earlier attempt finished is not touched again. */
export async function copyGroupStep(step: GroupStep, run: Run): Promise<Amounts> {
  const copyGroup = run.request.mode === 'Online' ? copyOnlineGroup : copyOfflineGroup;
  return await run.paced((pace) => copyGroup(step, run, pace));
}

async function copyOfflineGroup({ database, group }: GroupStep, run: Run, pace: Pace): Promise<Amounts> {
  return await withSnapshot(run, database, { settled: nothingLeft }, async (sessions) => {
    const { source, target, scope } = sessions;
    const tables = await unfinishedTablesOfGroup(target, group, { checksums: run.request.compare });
    const total = await copyTables({
      ...{ source, target, pace, scope: scope.scope, identity: run.identity, signal: run.signal },
      tables: tables.filter((table) => !table.copied),
      onProgress: (progress) => run.progress(progress),
    });
    const unproven = tables.filter((table) => table.checksum);
    await takeSourceChecksums(sessions, run, unproven);
    await buildIndexes(sessions.target, tables, run);
    return total;
  });
}

/** Under a snapshot of the group's own. */
async function copyOnlineGroup(
  { database, group, tableOid }: GroupStep,
  run: Run,
  pace: Pace,
): Promise<Amounts> {
  const total = await copyGroupOnline({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    group,
    tableOid,
    predecessorPrefix: run.workPrefix,
    lockTimeout: run.request.timeouts.lock,
    signal: run.signal,
    pace,
    onProgress: (progress) => run.progress(progress),
  });
  await run.session('target', database, async (target) =>
    buildIndexes(target, await unfinishedTablesOfGroup(target, group, { checksums: false, tableOid }), run),
  );
  return total;
}

async function buildIndexes(target: Client, tables: TableLoad[], run: Run): Promise<void> {
  const tableOids = tables.map((table) => table.oid);
  const { identity, signal } = run;
  await runTableEntries({ client: target, identity, tableOids, signal });
}

export async function copyLargeObjectsStep({ database, batch }: LargeObjectStep, run: Run): Promise<Amounts> {
  const { noOwner, noPrivileges, mode } = run.request;
  const [first, last] = typeof batch === 'number' ? [batch, batch] : batch;
  const copy = (pace: Pace) => async (sessions: LargeObjectSessions) => {
    const { source, target, scope } = sessions;
    let total = 0;
    for (let each = first; each <= last; each += 1) {
      const { bytes } = await copyLargeObjects({
        source,
        target,
        identity: run.identity,
        scope: scope?.scope,
        batch: each,
        noOwner,
        noPrivileges,
        signal: run.signal,
        pace,
        onProgress: (progress) => run.progress({ bytes: total + progress.bytes }),
      });
      total += bytes;
    }
    return { tables: 0, rows: 0, bytes: total };
  };
  return await run.paced((pace) =>
    mode === 'Online'
      ? withAnySnapshot(run, database, copy(pace))
      : withSnapshot(run, database, { settled: nothingLeft }, copy(pace)),
  );
}

type LargeObjectSessions = Omit<SnapshotSessions, 'scope'> & Partial<SnapshotSessions>;

async function copyOnePart(
  { source, target, scope, pace }: SnapshotSessions & { pace: Pace },
  run: Run,
  table: TableLoad,
  part: number,
) {
  return await copyPart({
    source,
    target,
    identity: run.identity,
    scope: scope.scope,
    table,
    part,
    signal: run.signal,
    pace,
    onProgress: (progress) => run.progress({ what: table.name, ...progress }),
  });
}

async function takeSourceChecksums(
  { source, target, scope }: SnapshotSessions,
  run: Run,
  tables: SizedTable[],
): Promise<void> {
  const { identity, signal } = run;
  for (const batch of tableBatches(tables)) {
    const found = await describeAndChecksum({ client: source, tables: batch, signal });
    const checksums = found.map((checksum, index) => ({ tableOid: batch[index]?.oid ?? 0, ...checksum }));
    await saveSourceChecksums(target, identity, scope.scope, checksums);
  }
}
