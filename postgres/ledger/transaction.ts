import type { Client, QueryResultRow } from 'pg';
import { queryAll } from '../connect';

/**
 * BEGIN, work, COMMIT; ROLLBACK where it throws.
 *
 * @param begin how it begins
 * @param queries sent with that, in the same round trip; `work` is given the rows of each
 */
export async function inTransaction<T>(
  client: Client,
  work: (answers: QueryResultRow[][]) => Promise<T>,
  begin = 'BEGIN',
  queries: string[] = [],
): Promise<T> {
  try {
    const [, ...answers] = await queryAll<QueryResultRow>(client, [begin, ...queries]);
    const result = await work(answers);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Runs `work` in a transaction that only reads, all of it of one moment. */
export async function inSnapshot<T>(client: Client, work: () => Promise<T>): Promise<T> {
  return await inTransaction(client, work, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
}
