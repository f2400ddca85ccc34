import type { Client } from 'pg';
import { enumerate, FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { withCutover, withLedger, type LedgerIdentity } from '../ledger';
import { resetInBatches } from './reset-in-batches';

/**
 * An unlogged table of our own is left beside the source's: whatever empties those when nobody looks (recovery of the
 * target's server, or a standby that takes its place) empties this one, too. A step in the ledger says that it was left.
 */
const KIND = 'unlogged';

/** Is no number of an attempt at the cutover: those begin at 1. */
const OFFLINE = 0;

/**
 * Once in an attempt at the cutover, before anything unlogged is compared.
 *
 * @throws FlexliftError CutoverRefused where they were emptied since the attempt first came here, or it has ended
 */
export async function witnessUnlogged(
  target: Client,
  identity: LedgerIdentity,
  attempt: number,
): Promise<void> {
  await withCutover(target, identity, attempt, async () => {
    if (!(await hasUnlogged(target))) return;
    if (!(await leaveWitness(target, attempt))) await refuseEmptiedSince(target, attempt);
  });
}

/**
 * To be asked last of all: what was compared is not what stands there any more.
 *
 * @throws FlexliftError CutoverRefused
 */
export async function refuseEmptiedSince(target: Client, attempt: number): Promise<void> {
  if (!(await isWitnessGone(target, attempt))) return;
  throw new FlexliftError({
    code: 'CutoverRefused',
    sentence:
      "The target's server crashed or failed over since the cutover began: its unlogged tables are empty.",
    remedy: 'Cut over again: they are copied anew then.',
    side: 'target',
  });
}

/** Before each plan of an offline load: what the ledger takes for copied, and a crash has emptied, is copied again. */
export async function resetEmptied(target: Client, identity: LedgerIdentity): Promise<void> {
  const emptied = await withLedger(target, identity, async () => {
    if (!(await hasUnlogged(target)) || (await leaveWitness(target, OFFLINE))) return undefined;
    return (await isWitnessGone(target, OFFLINE)) ? await unloggedTables(target) : undefined;
  });
  if (emptied === undefined) return;
  // an attempt that comes late finds the witness, and empties nothing that was copied since
  const isWanted = async () => {
    await lockWitness(target);
    return await isWitnessGone(target, OFFLINE);
  };
  await resetInBatches({ target, identity, tables: emptied, isWanted });
  await withLedger(target, identity, async () => {
    await lockWitness(target);
    await putWitness(target, OFFLINE);
  });
}

/** Waits for whoever resets tables for want of it. */
async function lockWitness(target: Client): Promise<void> {
  await target.query('SELECT FROM flexlift.step WHERE kind = $1 AND key = $2 FOR UPDATE', [
    KIND,
    String(OFFLINE),
  ]);
}

/**
 * The same where nothing is copied any more.
 *
 * @throws FlexliftError TargetRewound
 */
export async function refuseEmptied(target: Client): Promise<void> {
  if (!(await isWitnessGone(target, OFFLINE))) return;
  const filled = (await unloggedTables(target)).filter(({ rows }) => rows > 0);
  const names = [...filled, ...(await unloggedSequences(target))].map(({ schema, name }) =>
    quoteQualified(schema, name),
  );
  const [object] = names;
  if (object === undefined) return;
  throw new FlexliftError({
    code: 'TargetRewound',
    sentence: `The target's server crashed or failed over, which empties what is unlogged: ${enumerate(names)}.`,
    remedy: 'Run the same command again, with --overwrite.',
    side: 'target',
    object,
  });
}

/** @returns false where it had been left before, whether or not it still stands */
async function leaveWitness(target: Client, attempt: number): Promise<boolean> {
  const { rowCount } = await target.query(
    'INSERT INTO flexlift.step (kind, key) VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [KIND, String(attempt)],
  );
  if (rowCount === 0) return false;
  await putWitness(target, attempt);
  return true;
}

async function putWitness(target: Client, attempt: number): Promise<void> {
  await target.query('CREATE UNLOGGED TABLE IF NOT EXISTS flexlift.unlogged (attempt integer PRIMARY KEY)');
  await target.query('INSERT INTO flexlift.unlogged VALUES ($1) ON CONFLICT DO NOTHING', [attempt]);
}

async function isWitnessGone(target: Client, attempt: number): Promise<boolean> {
  const { rowCount: left } = await target.query('SELECT FROM flexlift.step WHERE kind = $1 AND key = $2', [
    KIND,
    String(attempt),
  ]);
  if (left === 0) return false;
  const { rowCount: stands } = await target.query('SELECT FROM flexlift.unlogged WHERE attempt = $1', [
    attempt,
  ]);
  return stands === 0;
}

/** Sequences can be unlogged from 15 on. */
export async function hasUnlogged(target: Client): Promise<boolean> {
  const { rowCount } = await target.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relpersistence = 'u' AND c.relkind IN ('r', 'S') AND n.nspname <> 'flexlift' LIMIT 1`,
  );
  return rowCount === 1;
}

interface UnloggedTable {
  /** On the source. */
  oid: number;
  schema: string;
  name: string;
  /** As copied. */
  rows: number;
}

async function unloggedTables(target: Client): Promise<UnloggedTable[]> {
  const { rows } = await target.query<UnloggedTable>(
    `SELECT t.table_oid AS oid, t.schema_name AS schema, t.table_name AS name,
            (SELECT COALESCE(pg_catalog.sum(p.rows), 0)::float8 FROM flexlift.part p
              WHERE p.table_oid = t.table_oid) AS rows
       FROM flexlift.table_load t
       JOIN pg_catalog.pg_namespace n ON n.nspname = t.schema_name
       JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name AND c.relpersistence = 'u'
      ORDER BY 2, 3`,
  );
  return rows;
}

async function unloggedSequences(target: Client): Promise<{ schema: string; name: string }[]> {
  const { rows } = await target.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relpersistence = 'u' AND c.relkind = 'S' AND n.nspname <> 'flexlift'
      ORDER BY 1, 2`,
  );
  return rows;
}
