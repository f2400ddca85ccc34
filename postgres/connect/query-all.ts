import type { Client, QueryResult, QueryResultRow } from 'pg';

/** Several statements without parameters in one round trip; the rows of each, in their order. At least one. */
export async function queryAll<Row extends QueryResultRow>(
  client: Client,
  statements: string[],
): Promise<Row[][]> {
  const result = await client.query<Row>(statements.join(';\n'));
  // pg's types know no query of several statements, which has a result for each
  const results: QueryResult<Row>[] =
    statements.length === 1 ? [result] : (result as unknown as QueryResult<Row>[]);
  return results.map(({ rows }) => rows);
}
