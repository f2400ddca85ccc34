import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { withCutover, type LedgerIdentity } from '../ledger';

const KIND = 'unlogged';

/**
 * Leaves an unlogged table of our own beside the source's, once in an attempt at the cutover: whatever empties those when
 * nobody looks (recovery of the target's server, or a standby that takes its place) empties this one, too.
 *
 * @throws FlexliftError CutoverRefused where that has happened since the attempt first came here, or has ended
 */
export async function witnessUnlogged(
  target: Client,
  identity: LedgerIdentity,
  attempt: number,
): Promise<void> {
  await withCutover(target, identity, attempt, async () => {
    if (!(await hasUnlogged(target))) return;
    const { rowCount } = await target.query(
      'INSERT INTO flexlift.step (kind, key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [KIND, String(attempt)],
    );
    if (rowCount === 0) {
      await refuseEmptiedSince(target, attempt);
      return;
    }
    await target.query('CREATE UNLOGGED TABLE IF NOT EXISTS flexlift.unlogged (attempt integer PRIMARY KEY)');
    await target.query('INSERT INTO flexlift.unlogged VALUES ($1)', [attempt]);
  });
}

/** Sequences can be unlogged from 15 on. */
async function hasUnlogged(target: Client): Promise<boolean> {
  const { rowCount } = await target.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'S') AND n.nspname <> 'flexlift' LIMIT 1`,
  );
  return rowCount === 1;
}

/**
 * To be asked last of all: what was compared is not what stands there any more.
 *
 * @throws FlexliftError CutoverRefused
 */
export async function refuseEmptiedSince(target: Client, attempt: number): Promise<void> {
  const { rowCount: witnessed } = await target.query(
    'SELECT FROM flexlift.step WHERE kind = $1 AND key = $2',
    [KIND, String(attempt)],
  );
  if (witnessed === 0) return;
  const { rowCount: left } = await target.query('SELECT FROM flexlift.unlogged WHERE attempt = $1', [
    attempt,
  ]);
  if (left === 1) return;
  throw new FlexliftError({
    code: 'CutoverRefused',
    sentence:
      "The target's server crashed or failed over since the cutover began: its unlogged tables are empty.",
    remedy: 'Cut over again: they are copied anew then.',
    side: 'target',
  });
}

/**
 * The same where nothing changes any more once it is copied. A table without a page has no row, whatever policies hide.
 *
 * @throws FlexliftError TargetRewound
 */
export async function refuseEmptied(target: Client): Promise<void> {
  const { rows } = await target.query<{ schema: string; name: string }>(
    `SELECT t.schema_name AS schema, t.table_name AS name
       FROM flexlift.table_load t
       JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema_name
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name AND c.relpersistence = 'u'
      WHERE c.relkind = 'r' AND pg_catalog.pg_relation_size(c.oid) = 0
        AND EXISTS (SELECT FROM flexlift.part p WHERE p.table_oid = t.table_oid AND p.rows > 0)
      ORDER BY 1, 2 LIMIT 1`,
  );
  const [first] = rows;
  if (first === undefined) return;
  const object = quoteQualified(first.schema, first.name);
  throw new FlexliftError({
    code: 'TargetRewound',
    sentence: `The target's server crashed or failed over since its unlogged tables were copied: ${object} is empty.`,
    remedy: 'Run the same command again, with --overwrite.',
    side: 'target',
    object,
  });
}
