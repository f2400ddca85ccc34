import { DatabaseError, type Client } from 'pg';

/**
 * Far below deadlock_timeout: nobody else's deadlock is to be found in our wait. A REINDEX lets its table be locked, and
 * every reader wait for its indexes. Milliseconds.
 */
const LOCK_TIMEOUT = 100;

/**
 * Runs what can be done without, in a transaction that holds locks which others wait for: whatever the server refuses is no
 * failure, and no lock is left.
 *
 * @param client in a transaction; what `work` changes is undone
 * @returns `undefined` where the server refused it
 */
export async function withoutWaiting<T>(client: Client, work: () => Promise<T>): Promise<T | undefined> {
  await client.query(`SAVEPOINT before_attempt; SET LOCAL lock_timeout = ${LOCK_TIMEOUT}`);
  let refusal: DatabaseError | undefined;
  const result = await work().catch((error: unknown) => {
    if (!(error instanceof DatabaseError)) throw error;
    refusal = error;
    return undefined;
  });
  try {
    await client.query('ROLLBACK TO SAVEPOINT before_attempt; RELEASE SAVEPOINT before_attempt');
  } catch (error) {
    // of a session that was ended the first error says why
    throw refusal ?? error;
  }
  return result;
}
