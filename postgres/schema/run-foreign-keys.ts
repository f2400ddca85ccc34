import type { Client } from 'pg';
import { isForeignKey } from './entry-stage';
import { isForeignKeyViolation } from './foreign-key-violation';
import { runForeignKey } from './large-foreign-keys';
import type { RunTask } from './run-entries';
import { retryContention, withLockTimeout } from './run-online';
import { pendingOf } from './staged-entries';

/**
 * Executes the foreign keys, each by itself, while changes may be applied to their tables. One that does not hold is left
 * to the cutover: the rows of a table whose deletes are not in the stream, whose changes are stopped or that is being copied
 * anew are complete only then.
 *
 * @returns how many are left
 * @throws FlexliftError Contention where a lock is not to be had; what is done stays done
 */
export async function runForeignKeys(task: RunTask): Promise<{ left: number }> {
  const { client } = task;
  return await withLockTimeout(client, async () => {
    const entries = await pendingOf(client, 'foreign-keys');
    const dependencies = await dependenciesOf(client, entries);
    const left = new Set<number>();
    for (const entry of entries) {
      try {
        const needed = dependencies.get(entry.dumpId) ?? [];
        if (needed.some((dumpId) => left.has(dumpId))) left.add(entry.dumpId);
        else await retryContention(task, () => runForeignKey(task, entry));
      } catch (error) {
        if (!isForeignKeyViolation(error)) throw error;
        left.add(entry.dumpId);
      }
    }
    // a stage's other entries are what depends on them: comments
    return { left: entries.filter((entry) => isForeignKey(entry) && left.has(entry.dumpId)).length };
  });
}

/** How many are not executed yet. */
export async function foreignKeysLeft(client: Client): Promise<number> {
  return (await pendingOf(client, 'foreign-keys')).filter(isForeignKey).length;
}

async function dependenciesOf(client: Client, entries: { dumpId: number }[]): Promise<Map<number, number[]>> {
  const { rows } = await client.query<{ dump_id: number; dependencies: number[] }>(
    'SELECT dump_id, dependencies FROM flexlift.archive_entry WHERE dump_id = ANY ($1::int4[])',
    [entries.map(({ dumpId }) => dumpId)],
  );
  return new Map(rows.map((row) => [row.dump_id, row.dependencies]));
}
