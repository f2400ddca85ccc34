import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { callOffCutover, withCalledOffCutover, withLedger } from '../ledger';
import { isNotBefore } from './entry-stage';
import { executeStatement, type RunTask } from './run-entries';
import { retryContention, withLockTimeout } from './run-online';
import { storedStages } from './staged-entries';

export interface UndoLate extends RunTask {
  /** The cutover that is called off. */
  attempt: number;
}

/** Undone in one transaction. */
const BATCH = 100;

/**
 * Undoes what was executed for a cutover that is called off, in reverse order, each entry together with its row in the
 * ledger, so that changes can be applied again and the next cutover does it all anew. First of all it refuses whatever
 * of that cutover is still to come. Repeating it is harmless. Of privileges only what was revoked is granted again.
 *
 * @throws FlexliftError CutoverRefused where another cutover has begun; Contention; StatementRejected… naming the object
 */
export async function undoLate(task: UndoLate): Promise<void> {
  const { client, identity, attempt } = task;
  await callOffCutover(client, identity, attempt);
  await undoEntries(task, await executedLate(client), (work) =>
    withCalledOffCutover(client, identity, attempt, work),
  );
}

/**
 * The same for an offline migration whose run before this one came that far: policies, and rights that were taken away,
 * would keep from comparing the rows once more.
 *
 * @throws FlexliftError Contention; StatementRejected… naming the object
 */
export async function undoBehindRows(task: RunTask): Promise<void> {
  const { client, identity } = task;
  await undoEntries(task, await executedLate(client), (work) => withLedger(client, identity, work));
}

async function undoEntries(
  task: RunTask,
  dumpIds: number[],
  inLedger: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { client, signal, onProgress } = task;
  await withLockTimeout(client, async () => {
    for (let start = 0; start < dumpIds.length; start += BATCH) {
      signal.throwIfAborted();
      const batch = dumpIds.slice(start, start + BATCH);
      await retryContention(task, () =>
        inLedger(async () => {
          const dependedOn: Undo[] = [];
          for (const undo of await takeBack(client, batch)) {
            onProgress?.({ done: start, total: dumpIds.length, object: undo.object });
            if (!(await isUndone(client, undo))) dependedOn.push(undo);
          }
          // what needed them is gone now
          for (const undo of dependedOn) await executeStatement(client, undo);
        }),
      );
    }
  });
  onProgress?.({ done: dumpIds.length, total: dumpIds.length });
}

interface Undo {
  object: string;
  /** Empty: nothing is to be done. */
  statement: string;
}

/** SQLSTATEs of what somebody has dropped: undefined_object, undefined_table, undefined_function, invalid_schema_name. */
const GONE = ['42704', '42P01', '42883', '3F000'];
/** dependent_objects_still_exist, and invalid_table_definition: a constraint that a parent's has taken in. */
const DEPENDED_ON = ['2BP01', '42P16'];

/** @returns false where something that is to be undone after it keeps it */
async function isUndone(client: Client, undo: Undo): Promise<boolean> {
  if (undo.statement === '') return true;
  await client.query('SAVEPOINT before_undo');
  try {
    await executeStatement(client, undo);
    await client.query('RELEASE SAVEPOINT before_undo');
    return true;
  } catch (error) {
    const sqlState = error instanceof FlexliftError ? (error.fields.sqlState ?? '') : '';
    if (![...GONE, ...DEPENDED_ON].includes(sqlState)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT before_undo');
    return GONE.includes(sqlState);
  }
}

/**
 * In the reverse of the order in which they were executed. Of the foreign keys only those that a cutover has executed:
 * where the target allows no session_replication_role that is all of them, and they would refuse changes.
 */
async function executedLate(client: Client): Promise<number[]> {
  const stages = await storedStages(client);
  const { rows } = await client.query<{ dump_id: number; in_cutover: boolean }>(
    `SELECT e.dump_id, d.detail IS NOT NULL AS in_cutover
       FROM flexlift.archive_entry e
       JOIN flexlift.step d ON d.kind = 'entry' AND d.key = e.dump_id::pg_catalog.text
      ORDER BY CASE e.phase WHEN 'acl' THEN 1 WHEN 'post-acl' THEN 2 ELSE 0 END DESC, e.position DESC`,
  );
  return rows
    .filter((row) => {
      const stage = stages.get(row.dump_id) ?? 'indexes';
      return isNotBefore(stage, 'privileges') || (row.in_cutover && stage === 'foreign-keys');
    })
    .map((row) => row.dump_id);
}

/** Deletes the rows, and with them takes the locks, of those that nobody has undone. */
async function takeBack(client: Client, batch: number[]): Promise<Undo[]> {
  const { rows } = await client.query<Undo>(
    `WITH taken AS (
       DELETE FROM flexlift.step
        WHERE kind IN ('entry', 'foreign-key') AND key = ANY ($1::pg_catalog.int4[]::pg_catalog.text[]) RETURNING kind, key)
     SELECT e.object, e.undo AS statement
       FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS b(dump_id, place)
       JOIN taken ON taken.kind = 'entry' AND taken.key = b.dump_id::pg_catalog.text
       JOIN flexlift.archive_entry e ON e.dump_id = b.dump_id
      ORDER BY b.place`,
    [batch],
  );
  return rows;
}
