import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { executeStatement, type RunTask } from './run-entries';
import { retryContention, withLockTimeout } from './run-online';

/** Undone in one transaction. */
const BATCH = 100;

/** SQLSTATEs of what somebody has dropped: undefined_object, undefined_table, undefined_function, invalid_schema_name. */
const GONE = ['42704', '42P01', '42883', '3F000'];
/** dependent_objects_still_exist, and invalid_table_definition: a constraint that a parent's has taken in. */
const DEPENDED_ON = ['2BP01', '42P16'];

/**
 * Undoes entries in the given order, each together with its row in the ledger. One that another keeps waits for that one's
 * undo, in a later batch where need be.
 *
 * @param inLedger runs a batch in a ledger transaction
 * @throws FlexliftError Contention; StatementRejected… naming the object
 */
export async function undoEntries(
  task: RunTask,
  dumpIds: number[],
  inLedger: (work: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { client, signal, onProgress } = task;
  const total = dumpIds.length;
  const queue = [...dumpIds];
  /** Entries in a row that others kept: once it is all that are left, nothing will free them. */
  let keptInRow = 0;
  await withLockTimeout(client, async () => {
    while (queue.length > 0) {
      signal.throwIfAborted();
      const isHopeless = keptInRow >= queue.length;
      const batch = queue.splice(0, BATCH);
      let kept: number[] = [];
      await retryContention(task, () =>
        inLedger(async () => {
          const onUndo = ({ object }: Undo) => onProgress?.({ done: total - queue.length, total, object });
          kept = await undoBatch(client, batch, onUndo);
          const [first] = kept;
          if (isHopeless && first !== undefined) await undoEntry(client, first, onUndo);
        }),
      );
      keptInRow = kept.length === batch.length ? keptInRow + kept.length : 0;
      queue.push(...kept);
    }
  });
  onProgress?.({ done: total, total });
}

interface Undo {
  object: string;
  /** Empty: nothing is to be done. */
  statement: string;
}

type OnUndo = (undo: Undo) => void;

/** @returns those that others keep, which are not in the batch */
async function undoBatch(client: Client, batch: number[], onUndo: OnUndo): Promise<number[]> {
  for (let left = batch; ;) {
    const kept: number[] = [];
    for (const dumpId of left) if (!(await isUndone(client, dumpId, onUndo))) kept.push(dumpId);
    if (kept.length === 0 || kept.length === left.length) return kept;
    left = kept;
  }
}

/** @returns false where something that is to be undone after it keeps it */
async function isUndone(client: Client, dumpId: number, onUndo: OnUndo): Promise<boolean> {
  await client.query('SAVEPOINT before_undo');
  try {
    await undoEntry(client, dumpId, onUndo);
  } catch (error) {
    const sqlState = error instanceof FlexliftError ? (error.fields.sqlState ?? '') : '';
    if (![...GONE, ...DEPENDED_ON].includes(sqlState)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT before_undo');
    if (DEPENDED_ON.includes(sqlState)) return false;
    await takeBack(client, dumpId);
  }
  await client.query('RELEASE SAVEPOINT before_undo');
  return true;
}

async function undoEntry(client: Client, dumpId: number, onUndo: OnUndo): Promise<void> {
  const undo = await takeBack(client, dumpId);
  if (undo === undefined) return;
  onUndo(undo);
  if (undo.statement !== '') await executeStatement(client, undo);
}

/** Deletes the entry's rows, and with them takes the locks; `undefined`: somebody has undone it. */
async function takeBack(client: Client, dumpId: number): Promise<Undo | undefined> {
  const { rows } = await client.query<Undo>(
    `WITH taken AS (
       DELETE FROM flexlift.step WHERE kind IN ('entry', 'foreign-key') AND key = $1::pg_catalog.int4::pg_catalog.text
       RETURNING kind)
     SELECT object, undo AS statement FROM flexlift.archive_entry
      WHERE dump_id = $1::pg_catalog.int4 AND EXISTS (SELECT FROM taken WHERE kind = 'entry')`,
    [dumpId],
  );
  return rows[0];
}
