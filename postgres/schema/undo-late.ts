import type { Client } from 'pg';
import { callOffCutover, withCalledOffCutover, withLedger } from '../ledger';
import { isNotBefore } from './entry-stage';
import type { RunTask } from './run-entries';
import { storedStages } from './staged-entries';
import { undoEntries } from './undo-entries';

export interface UndoLate extends RunTask {
  /** The cutover that is called off. */
  attempt: number;
}

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
