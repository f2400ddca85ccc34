import type { Client } from 'pg';
import { shareWork } from '../connect';
import { once } from '../ledger';
import { isForeignKey, isNotBefore } from './entry-stage';
import { foreignKeyInSteps } from './foreign-key-in-steps';
import { executeStatement, runEntries, type RunTask, type StoredEntry } from './run-entries';
import { pendingUntil } from './staged-entries';

/** Of both tables: what is checked within half a second is not worth two transactions. */
const LARGE = 64 * 1024 ** 2;

/** Its tables are plain ones, too. */
function isLarge(entry: StoredEntry): boolean {
  return isForeignKey(entry) && entry.bytes !== null && entry.bytes > LARGE;
}

/**
 * As `runEntries` for one entry; the check of a large foreign key keeps no writer of its tables waiting. One that does not
 * hold stays unchecked, and is checked by whoever executes the entry next.
 */
export async function runForeignKey(task: RunTask, entry: StoredEntry): Promise<void> {
  if (isLarge(entry)) await addUnchecked(task, entry);
  await runEntries(task, [entry]);
}

/**
 * Adds all large foreign keys unchecked, so that {@link checkForeignKeys} checks them side by side: in one statement each
 * would lock out all others of its two tables.
 *
 * @returns those that are still to be checked, by the table that refers, the largest first
 */
export async function addForeignKeys(task: RunTask): Promise<StoredEntry[][]> {
  const { due } = await pendingUntil(task.client, 'foreign-keys');
  const large = due.filter(isLarge);
  if (large.length === 0) return [];
  await runEntries(
    task,
    due.filter(({ stage }) => !isNotBefore(stage, 'foreign-keys')),
  );
  const byTable = new Map<number | null, StoredEntry[]>();
  for (const entry of large) {
    if (!(await addUnchecked(task, entry))) continue;
    byTable.set(entry.tableOid, [...(byTable.get(entry.tableOid) ?? []), entry]);
  }
  return [...byTable.values()].sort((one, other) => bytesOf(other) - bytesOf(one));
}

/** @param task.clients sessions on the target that share the work */
export async function checkForeignKeys(
  { clients, ...task }: Omit<RunTask, 'client'> & { clients: Client[] },
  tables: StoredEntry[][],
): Promise<void> {
  await shareWork(clients, tables, async (client, entries) => {
    for (const entry of entries) await runEntries({ ...task, client }, [entry]);
  });
}

/** @returns false where it is made at once or was made before */
async function addUnchecked(
  { client, identity, signal, onProgress }: RunTask,
  { dumpId }: StoredEntry,
): Promise<boolean> {
  signal.throwIfAborted();
  const entry = await pendingEntry(client, dumpId);
  const steps = entry === undefined ? undefined : foreignKeyInSteps(entry.statement);
  if (entry === undefined || steps === undefined) return false;
  const { object } = entry;
  onProgress?.({ done: 0, total: 1, object });
  const added = { kind: 'foreign-key', key: String(dumpId) };
  await once(client, identity, added, async () => {
    // its place may have been taken by the entry of a later dump
    const { rowCount } = await client.query(
      'SELECT FROM flexlift.archive_entry WHERE dump_id = $1 FOR KEY SHARE',
      [dumpId],
    );
    if (rowCount === 0) return;
    await executeStatement(client, { object, statement: steps.add });
  });
  return true;
}

async function pendingEntry(
  client: Client,
  dumpId: number,
): Promise<{ object: string; statement: string } | undefined> {
  const { rows } = await client.query<{ object: string; statement: string }>(
    `SELECT object, statement FROM flexlift.archive_entry e
      WHERE dump_id = $1
        AND NOT EXISTS (SELECT FROM flexlift.step d WHERE d.kind = 'entry' AND d.key = e.dump_id::pg_catalog.text)`,
    [dumpId],
  );
  return rows[0];
}

function bytesOf(entries: StoredEntry[]): number {
  return entries.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
}
