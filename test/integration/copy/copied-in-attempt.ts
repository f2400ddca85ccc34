import type { Pair } from './fixture';

/** The names of what was copied anew in the cutover's attempt, by this or an earlier run of it, in that order. */
export async function copiedInAttempt(pair: Pair, attempt: number): Promise<string[]> {
  const rows = await pair.sql<{ name: string }>(
    'target',
    `SELECT detail ->> 'copied' AS name FROM flexlift.step
      WHERE kind = 'late-rows' AND starts_with(key, $1) AND detail IS NOT NULL
      GROUP BY 1 ORDER BY min(done_at), 1`,
    [`${attempt}/`],
  );
  return rows.map(({ name }) => name);
}
