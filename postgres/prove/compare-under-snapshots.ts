import { DatabaseError, type Client } from 'pg';
import { FlexliftError, type Difference } from '../../contract';
import {
  checksumTable,
  describeTable,
  differenceOfTable,
  differingKeys,
  firstDifferencesInside,
  type ColumnDescription,
} from '../compare';
import { haveEqualRows, type TableChecksum, type TableLoad } from '../ledger';
import { definitionMarks } from './definition-marks';
import type { ProofSessions, ProofSide } from './proof-sessions';
import { whileYielding } from './yield-to-waiters';

export interface SnapshotComparison {
  source: TableChecksum;
  /** Of the source's table, see {@link definitionMarks}. */
  mark: string;
  /** Absent: equal. */
  difference?: Difference;
}

/**
 * Compares a table as both sides' snapshots show it. Its locks are held for as long as that takes and no longer.
 *
 * @returns `undecided` where the table was truncated, rewritten, altered or dropped since a snapshot was taken, which
 *   then shows no longer what it held; or where somebody waited to lock it
 */
export async function compareUnderSnapshots(
  sessions: ProofSessions,
  table: TableLoad,
  signal: AbortSignal,
): Promise<SnapshotComparison | 'undecided'> {
  const sides = [sessions.source, sessions.target];
  await Promise.all(sides.map(({ reader }) => reader.query('SAVEPOINT flexlift_table')));
  try {
    return await whileYielding(sides, signal, () => compare(sessions, table, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (isUndecided(error)) return 'undecided';
    throw error;
  } finally {
    // lets go of the table's lock, and keeps the snapshot
    await Promise.all(
      sides.map(({ reader }) => reader.query('ROLLBACK TO SAVEPOINT flexlift_table').catch(() => undefined)),
    );
  }
}

async function compare(
  { source, target }: ProofSessions,
  table: TableLoad,
  signal: AbortSignal,
): Promise<SnapshotComparison | 'undecided'> {
  const { condition } = table;
  const columns = await describeTable(source.reader, table.schema, table.name);
  const [there, here] = await onBoth(source, target, ({ reader }) =>
    checksum(reader, table, columns, signal),
  );
  if (there === undefined || here === undefined) return 'undecided';
  const mark = (await definitionMarks(source.reader, [table.oid])).get(table.oid);
  if (mark === undefined) return 'undecided';
  if (haveEqualRows(there, here)) return { source: there, mark };
  const sides = { source: source.reader, target: target.reader };
  const found = await firstDifferencesInside({ ...sides, table, condition, signal });
  return { source: there, mark, difference: differenceOfTable(table, there, here, differingKeys(found)) };
}

/** @returns `undefined` where the snapshot is older than the table's present file */
async function checksum(
  client: Client,
  table: TableLoad,
  columns: ColumnDescription[],
  signal: AbortSignal,
): Promise<TableChecksum | undefined> {
  const found = await checksumTable({ client, table, columns, condition: table.condition, signal });
  // pg_class shows the file as of the snapshot, the function the one that was just read, under a lock that we hold
  const { rows } = await client.query(
    `SELECT FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND c.relfilenode = pg_catalog.pg_relation_filenode(c.oid)`,
    [table.schema, table.name],
  );
  return rows.length === 0 ? undefined : found;
}

/** Both at the same time; where one fails, the other's statement is cancelled. */
async function onBoth<T>(
  source: ProofSide,
  target: ProofSide,
  work: (side: ProofSide) => Promise<T>,
): Promise<[T, T]> {
  const run = async (side: ProofSide, other: ProofSide) => {
    try {
      return await work(side);
    } catch (error) {
      const cancel = 'SELECT pg_catalog.pg_cancel_backend($1)';
      await other.lookout.query(cancel, [other.readerPid]).catch(() => undefined);
      throw error;
    }
  };
  const [there, here] = await Promise.allSettled([run(source, target), run(target, source)]);
  if (there.status === 'fulfilled' && here.status === 'fulfilled') return [there.value, here.value];
  const reasons = [there, here].flatMap((result): unknown[] =>
    result.status === 'rejected' ? [result.reason] : [],
  );
  // what failed for a reason of its own comes before what was cancelled for its sake
  throw reasons.find((each) => !isUndecided(each)) ?? reasons[0];
}

/** Cancelled for a waiter's sake, lock not available, deadlock; no such column, table or schema any more. */
const UNDECIDED = new Set(['57014', '55P03', '40P01', '42703', '42P01', '3F000']);

function isUndecided(error: unknown): boolean {
  if (error instanceof DatabaseError) return UNDECIDED.has(error.code ?? '');
  return error instanceof FlexliftError && error.code === 'StatementRejected';
}
