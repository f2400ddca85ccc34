import type { Client } from 'pg';
import { once } from '../ledger';
import type { EntryStage } from './entry-stage';
import { executeStatement, pendingEntries, runEntries, type RunTask } from './run-entries';
import { pendingUntil } from './staged-entries';
import { isArchiveStored } from './store-archive';

/**
 * Creates all that stands before data: schemas, types, functions, tables without indexes, views. Resumable: what is
 * done stays done.
 *
 * @throws FlexliftError StatementRejected, PermissionDenied… naming the object
 */
export async function runPreData(task: RunTask): Promise<void> {
  await runEntries(task, await pendingEntries(task.client, { phases: ['pre-data'] }));
}

/** Whether every table stands, so that rows can be copied into it. */
export async function isPreDataDone(client: Client): Promise<boolean> {
  return (
    (await isArchiveStored(client)) && (await pendingEntries(client, { phases: ['pre-data'] })).length === 0
  );
}

export interface TablesTask extends RunTask {
  /** On the source. */
  tableOids: number[];
}

/**
 * Builds what is not built yet of these tables' indexes and constraints, foreign keys excepted, one after the other, once their
 * rows are there.
 */
export async function runTableEntries(task: TablesTask): Promise<void> {
  const entries = await pendingEntries(task.client, { phases: ['table'], tableOids: task.tableOids });
  await runEntries(task, entries);
}

/** Executes one entry; nothing happens where it is done or left out. */
export async function runEntry(task: RunTask & { dumpId: number }): Promise<void> {
  await runEntries(task, await pendingEntries(task.client, { dumpIds: [task.dumpId] }));
}

/**
 * Builds the index of a constraint that has one, so that `runEntry` only makes it the constraint; nothing happens where
 * either is done. Meanwhile other indexes of the table can be built.
 */
export async function buildKeyIndex(task: RunTask & { dumpId: number }): Promise<void> {
  const { client, identity, dumpId, signal, onProgress } = task;
  signal.throwIfAborted();
  await once(client, identity, { kind: 'key-index', key: String(dumpId) }, async () => {
    const { rows } = await client.query<{ object: string; statement: string }>(
      `SELECT object, key_index AS statement FROM flexlift.archive_entry e
        WHERE dump_id = $1 AND key_index IS NOT NULL
          AND NOT EXISTS (SELECT FROM flexlift.step d WHERE d.kind = 'entry' AND d.key = e.dump_id::pg_catalog.text)`,
      [dumpId],
    );
    for (const entry of rows) {
      onProgress?.({ done: 0, total: 1, object: entry.object });
      await executeStatement(client, entry);
    }
  });
}

export interface PostDataTask extends RunTask {
  /** What belongs to later stages is left. Default: nothing is. */
  until?: EntryStage;
}

/**
 * Executes all that remains up to a stage: of `indexes` what no `runTableEntries` has built (of partitioned tables,
 * materialized views), attached partition indexes, statistics; see {@link EntryStage}.
 *
 * @returns how many are left to later stages
 * @throws FlexliftError StatementRejected, DataRejected… naming the object
 */
export async function runPostData({ until, ...task }: PostDataTask): Promise<{ left: number }> {
  const { due, left } = await pendingUntil(task.client, until);
  await runEntries(task, due);
  return { left };
}
