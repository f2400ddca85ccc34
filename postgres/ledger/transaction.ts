import type { Client, QueryResultRow } from 'pg';
import { queryAll } from '../connect';

/**
 * BEGIN, work, COMMIT; ROLLBACK where it throws.
 *
 * @param begin how it begins, maybe with statements that go with it; `work` is given their rows
 */
export async function inTransaction<T>(
  client: Client,
  work: (begun: QueryResultRow[]) => Promise<T>,
  begin: string | string[] = 'BEGIN',
): Promise<T> {
  try {
    const begun = await queryAll<QueryResultRow>(client, [begin].flat());
    const result = await work(begun.flat());
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
