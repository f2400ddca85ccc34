import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { entryTimings, type EntryTiming } from './entry-timing';
import { foreignKeyViolated, isForeignKeyViolation } from './foreign-key-violation';
import { timedEntries } from './timed-entries';
import { pendingEntries, runEntries, type RunTask, type StoredEntry } from './run-entries';

/** How long a lock is waited for while the applier and its readers wait behind us, milliseconds. */
const LOCK_TIMEOUT = 5_000;
/** So often it is tried before the attempt is given up. */
const LOCK_ATTEMPTS = 5;

/**
 * Executes all that need not wait for the cutover and no `runTableEntries` has built: indexes of partitioned tables and
 * materialized views, attached partition indexes, constraints but foreign keys, statistics, with their comments.
 *
 * @throws FlexliftError StatementRejected, DataRejected… naming the object
 */
export async function runBeforeReplication(task: RunTask): Promise<void> {
  await runEntries(task, await pendingOf(task.client, 'before'));
}

/**
 * Executes all that remains: foreign keys that had to wait, triggers, rules, policies, row security, publications, then
 * privileges, then event triggers. Afterwards `pendingEntries` is empty.
 *
 * @param task.attempt the cutover that it is done for
 * @throws FlexliftError CutoverRefused where that one is called off meanwhile; DataRejected where a foreign key does not
 * hold; StatementRejected… naming the object
 */
export async function runLate(task: RunTask & { attempt: number }): Promise<void> {
  await withLockTimeout(task.client, async () => {
    const entries = await pendingEntries(task.client);
    try {
      await retryContention(task, () => runEntries(task, entries));
    } catch (error) {
      throw isForeignKeyViolation(error) ? foreignKeyViolated(error) : error;
    }
  });
}

/** Every stored entry's timing; see {@link EntryTiming}. */
export async function storedTimings(client: Client): Promise<Map<number, EntryTiming>> {
  return entryTimings(await timedEntries(client));
}

export async function pendingOf(client: Client, wanted: EntryTiming): Promise<StoredEntry[]> {
  const timings = await storedTimings(client);
  const pending = await pendingEntries(client);
  return pending.filter(({ dumpId }) => (timings.get(dumpId) ?? 'before') === wanted);
}

/** Runs `work` on a session that waits for no lock longer than the applier may be kept waiting. */
export async function withLockTimeout<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT}`);
  try {
    return await work();
  } finally {
    await client.query('SET lock_timeout = 0').catch(() => undefined);
  }
}

export async function retryContention(task: RunTask, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const contended = error instanceof FlexliftError && error.code === 'Contention';
      if (!contended || attempt === LOCK_ATTEMPTS) throw error;
      task.signal.throwIfAborted();
    }
  }
}
