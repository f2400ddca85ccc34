import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { withCutover, type LedgerIdentity } from '../ledger';

const KIND = 'late-rows';

/** One table, or one range of large objects, in one attempt at the cutover. */
export interface LateStep {
  attempt: number;
  /** Tells it from all others of the attempt. */
  key: string;
  /** For a person. */
  name: string;
}

/**
 * Compares, and copies where that says so, at most once in an attempt at the cutover, in one ledger transaction.
 *
 * @param work says whether it had to copy
 * @throws FlexliftError CutoverRefused where the attempt has ended
 */
export async function onceInAttempt(
  target: Client,
  identity: LedgerIdentity,
  { attempt, key, name }: LateStep,
  work: () => Promise<boolean>,
): Promise<void> {
  const step = [KIND, `${attempt}/${key}`];
  await withCutover(target, identity, attempt, async () => {
    const { rowCount } = await target.query(
      'INSERT INTO flexlift.step (kind, key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      step,
    );
    if (rowCount === 0 || !(await work())) return;
    await target.query('UPDATE flexlift.step SET detail = $3 WHERE kind = $1 AND key = $2', [
      ...step,
      JSON.stringify({ copied: name }),
    ]);
  });
}

/** Quoted names of those tables that were copied in the attempt and whose inserted rows come in the stream. */
export async function streamedTablesCopiedInAttempt(target: Client, attempt: number): Promise<string[]> {
  const { rows } = await target.query<{ schema: string; name: string }>(
    `SELECT t.schema_name AS schema, t.table_name AS name
       FROM flexlift.step s
       JOIN flexlift.table_load t ON s.key = pg_catalog.format('%s/%s', $2::int, t.table_oid)
      WHERE s.kind = $1 AND s.detail IS NOT NULL AND t.identity = 'append'
      ORDER BY 1, 2`,
    [KIND, attempt],
  );
  return rows.map(({ schema, name }) => quoteQualified(schema, name));
}
