import { DatabaseError, type Client } from 'pg';
import { FlexliftError, type Difference } from '../../contract';
import {
  checksumTables,
  describeTables,
  differenceOfTable,
  differingKeys,
  firstDifferencesInside,
  type Described,
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
 * Compares tables as both sides' snapshots show them. Their locks are held for as long as that takes and no longer; where
 * one of them stands in the way of all, each is compared by itself.
 *
 * @returns of each, in their order; `undecided` where it was truncated, rewritten, altered or dropped since a snapshot was
 *   taken, which then shows no longer what it held; or where somebody waited to lock it
 */
export async function compareUnderSnapshots(
  sessions: ProofSessions,
  tables: TableLoad[],
  signal: AbortSignal,
): Promise<(SnapshotComparison | 'undecided')[]> {
  const together = await compareTogether(sessions, tables, signal);
  if (together !== undefined) return together;
  if (tables.length === 1) return ['undecided'];
  const found: (SnapshotComparison | 'undecided')[] = [];
  for (const table of tables) found.push(...(await compareUnderSnapshots(sessions, [table], signal)));
  return found;
}

/** @returns `undefined` where nothing is decided */
async function compareTogether(
  sessions: ProofSessions,
  tables: TableLoad[],
  signal: AbortSignal,
): Promise<(SnapshotComparison | 'undecided')[] | undefined> {
  const sides = [sessions.source, sessions.target];
  await Promise.all(sides.map(({ reader }) => reader.query('SAVEPOINT flexlift_tables')));
  try {
    return await whileYielding(sides, signal, () => compare(sessions, tables, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (isUndecided(error)) return undefined;
    throw error;
  } finally {
    // lets go of the tables' locks, and keeps the snapshot
    await Promise.all(
      sides.map(({ reader }) => reader.query('ROLLBACK TO SAVEPOINT flexlift_tables').catch(() => undefined)),
    );
  }
}

async function compare(
  { source, target }: ProofSessions,
  tables: TableLoad[],
  signal: AbortSignal,
): Promise<(SnapshotComparison | 'undecided')[]> {
  const described = await describeTables(source.reader, tables);
  const [there, here] = await onBoth(source, target, ({ reader }) => checksums(reader, described, signal));
  const marks = await definitionMarks(
    source.reader,
    tables.map(({ oid }) => oid),
  );
  const found: (SnapshotComparison | 'undecided')[] = [];
  for (const [index, table] of tables.entries()) {
    const [one, other, mark] = [there[index], here[index], marks.get(table.oid)];
    if (one === undefined || other === undefined || mark === undefined) found.push('undecided');
    else if (haveEqualRows(one, other)) found.push({ source: one, mark });
    else {
      const sides = { source: source.reader, target: target.reader };
      const keys = differingKeys(
        await firstDifferencesInside({ ...sides, table, condition: table.condition, signal }),
      );
      found.push({ source: one, mark, difference: differenceOfTable(table, one, other, keys) });
    }
  }
  return found;
}

/** @returns `undefined` for a table of which the snapshot is older than its present file */
async function checksums(
  client: Client,
  tables: Described<TableLoad>[],
  signal: AbortSignal,
): Promise<(TableChecksum | undefined)[]> {
  const found = await checksumTables({ client, tables, signal });
  // pg_class shows the file as of the snapshot, the function the one that was just read, under a lock that we hold
  const { rows } = await client.query<{ stands: boolean | null }>(
    `SELECT c.relfilenode = pg_catalog.pg_relation_filenode(c.oid) AS stands
       FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[]) WITH ORDINALITY AS wanted(schema, name, place)
       LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
       LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
      ORDER BY wanted.place`,
    [tables.map(({ schema }) => schema), tables.map(({ name }) => name)],
  );
  return found.map((checksum, index) => (rows[index]?.stands === true ? checksum : undefined));
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
