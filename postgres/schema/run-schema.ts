import type { Client } from 'pg';
import { ENTRY_STAGES, entryStages, type EntryStage } from './entry-timing';
import { pendingEntries, runEntries, type RunTask, type StoredEntry } from './run-entries';
import { timedEntries } from './timed-entries';

/**
 * Creates all that stands before data: schemas, types, functions, tables without indexes, views. Resumable: what is
 * done stays done.
 *
 * @throws FlexliftError StatementRejected, PermissionDenied… naming the object
 */
export async function runPreData(task: RunTask): Promise<void> {
  await runEntries(task, await pendingEntries(task.client, { phases: ['pre-data'] }));
}

/**
 * The indexes and constraints of one table that are not built yet, foreign keys excepted. They may be built in any
 * order and side by side, each with `runEntry`, once the table's data is there.
 *
 * @param tableOid on the source
 */
export async function entriesOfTable(client: Client, tableOid: number): Promise<StoredEntry[]> {
  return await pendingEntries(client, { phases: ['table'], tableOids: [tableOid] });
}

export interface TablesTask extends RunTask {
  /** On the source. */
  tableOids: number[];
  /** The tables are small, so that many of their indexes and constraints share a transaction. Default false. */
  together?: boolean;
}

/** Builds all of `entriesOfTable` for these tables, one after the other. */
export async function runTableEntries(task: TablesTask): Promise<void> {
  const entries = await pendingEntries(task.client, { phases: ['table'], tableOids: task.tableOids });
  await runEntries(task, entries, { together: task.together ?? false });
}

/** Executes one entry; nothing happens where it is done or left out. */
export async function runEntry(task: RunTask & { dumpId: number }): Promise<void> {
  await runEntries(task, await pendingEntries(task.client, { dumpIds: [task.dumpId] }));
}

export interface PostDataTask extends RunTask {
  /** What belongs to later stages is left. Absent: nothing is. */
  until?: EntryStage;
}

/**
 * Executes all that remains up to a stage: what no `runTableEntries` has built (of partitioned tables, materialized
 * views), attached partition indexes, foreign keys, statistics; triggers, rules, publications, then privileges; row
 * security; event triggers. After the last, `pendingEntries` is empty.
 *
 * @throws FlexliftError StatementRejected, DataRejected… naming the object
 */
export async function runPostData({ until = 'event-triggers', ...task }: PostDataTask): Promise<void> {
  const stages = entryStages(await timedEntries(task.client));
  const last = ENTRY_STAGES.indexOf(until);
  const pending = await pendingEntries(task.client);
  const due = pending.filter(({ dumpId }) => ENTRY_STAGES.indexOf(stages.get(dumpId) ?? 'rows') <= last);
  await runEntries(task, due);
}
