import type { Amounts, GroupStep, LargeObjectStep, PartStep, TableStep } from '../contract';
import { checksumTable } from '../postgres/compare';
import { copyLargeObjects, copyPart } from '../postgres/copy';
import { saveSourceChecksum, tableLoad, unfinishedTablesOfGroup, type TableLoad } from '../postgres/ledger';
import { runTableEntries } from '../postgres/schema';
import type { Run } from './support/run';
import { withSnapshot, type SnapshotSessions } from './support/snapshot';

export async function copyPartStep({ database, table, part }: PartStep, run: Run): Promise<Amounts> {
  return await withSnapshot(run, database, async (sessions) => {
    const { rows, bytes } = await copyOnePart(
      sessions,
      run,
      await tableLoad(sessions.target, table.oid),
      part,
    );
    return { tables: 0, rows, bytes };
  });
}

export async function checksumSourceTableStep({ database, table }: TableStep, run: Run): Promise<void> {
  await withSnapshot(run, database, async (sessions) =>
    takeSourceChecksum(sessions, run, await tableLoad(sessions.target, table.oid)),
  );
}

/** Table by table its rows and the source's checksum, then the indexes of all. What an earlier attempt finished is not touched again. */
export async function copyGroupStep({ database, group }: GroupStep, run: Run): Promise<Amounts> {
  return await withSnapshot(run, database, async (sessions) => {
    const total: Amounts = { tables: 0, rows: 0, bytes: 0 };
    const tables = await unfinishedTablesOfGroup(sessions.target, group, { checksums: run.request.compare });
    for (const table of tables) {
      run.signal.throwIfAborted();
      if (!table.copied) {
        const { rows, bytes } = await copyOnePart(sessions, run, table, 1);
        total.tables += 1;
        total.rows += rows;
        total.bytes += bytes;
      }
      if (table.checksum) await takeSourceChecksum(sessions, run, table);
    }
    const tableOids = tables.map((table) => table.oid);
    const { identity, signal } = run;
    await runTableEntries({ client: sessions.target, identity, tableOids, together: true, signal });
    return total;
  });
}

export async function copyLargeObjectsStep({ database, batch }: LargeObjectStep, run: Run): Promise<Amounts> {
  const { noOwner, noPrivileges } = run.request;
  return await withSnapshot(run, database, async ({ source, target, scope }) => {
    const { bytes } = await copyLargeObjects({
      source,
      target,
      identity: run.identity,
      scope: scope.scope,
      batch,
      noOwner,
      noPrivileges,
      signal: run.signal,
      onProgress: (progress) => run.progress(progress),
    });
    return { tables: 0, rows: 0, bytes };
  });
}

async function copyOnePart(
  { source, target, scope }: SnapshotSessions,
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
    onProgress: (progress) => run.progress({ what: table.name, ...progress }),
  });
}

async function takeSourceChecksum({ source, target, scope }: SnapshotSessions, run: Run, table: TableLoad) {
  const checksum = await checksumTable({
    client: source,
    table,
    condition: table.condition,
    signal: run.signal,
  });
  await saveSourceChecksum(target, run.identity, table.oid, scope.scope, checksum);
}
