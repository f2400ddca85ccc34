import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import type { EntryStage } from './entry-stage';
import { foreignKeyViolated, isForeignKeyViolation } from './foreign-key-violation';
import { runEntries, type RunTask } from './run-entries';
import { pendingOf, pendingUntil } from './staged-entries';

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
  await runEntries(task, await pendingOf(task.client, 'indexes'));
}

export interface LateTask extends RunTask {
  /** The cutover that it is done for. */
  attempt: number;
  /** What belongs to later stages is left. Default: nothing is. */
  until?: EntryStage;
}

/**
 * As `runPostData`, for a cutover, while applier and readers are at work: foreign keys that had to wait, and all stages
 * behind them.
 *
 * @returns how many are left to later stages
 * @throws FlexliftError CutoverRefused where that one is called off meanwhile; DataRejected where a foreign key does not
 * hold; StatementRejected… naming the object
 */
export async function runLate({ until, ...task }: LateTask): Promise<{ left: number }> {
  return await withLockTimeout(task.client, async () => {
    const { due, left } = await pendingUntil(task.client, until);
    try {
      await retryContention(task, () => runEntries(task, due));
      return { left };
    } catch (error) {
      throw isForeignKeyViolation(error) ? foreignKeyViolated(error) : error;
    }
  });
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
