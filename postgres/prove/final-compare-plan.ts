import type { Client } from 'pg';
import { byGroup, tableBatch, tableStandings, type TableBatch, type TableStanding } from './table-standings';

/**
 * How a table is compared at the cutover:
 * - `proven`: it did not change since its proof, nothing is read;
 * - `changed`: the rows that changed since are compared one by one;
 * - `whole`: both sides are read.
 */
export type ComparisonKind = 'proven' | 'changed' | 'whole';

/** Rows looked up one by one, at most; and no more than this part of the table. */
export const KEYS_COMPARED = 200_000;
const PART_COMPARED = 1 / 4;

/** What shares one batch of tables of which changed rows are compared. */
const KEYS_PER_BATCH = 50_000;
const TABLES_PER_BATCH = 100;
/** Of those that were proven before the fence some have changed behind it, and all may have. */
const PROVEN_PER_BATCH = 500;

/** As the ledger tells, which may count a row more than once: a table called `whole` can turn out to be `changed`. */
export function comparisonKind({ proof, changes, identity, isApplied }: TableStanding): ComparisonKind {
  if (proof === undefined || !isApplied || changes === 'unknown') return 'whole';
  if (changes === 0) return 'proven';
  return identity === 'key' && isFew(changes, proof.rows) ? 'changed' : 'whole';
}

/** @param rows of the table at its proof, a bigint as text */
export function isFew(keys: number, rows: string): boolean {
  return keys <= KEYS_COMPARED && keys < Number(rows) * PART_COMPARED;
}

export interface FinalBatch extends TableBatch {
  /** Some of its tables may be copied anew behind the fence. */
  hasLateRows: boolean;
}

/**
 * Batches of the final comparison, the longest first: large tables that have to be read alone, small ones by their groups;
 * tables of which changed rows are looked up, some together; tables with nothing to read, many together. While changes go on
 * it is an estimate: what is done with each table is decided when it is compared.
 */
export async function planFinalCompare(target: Client): Promise<FinalBatch[]> {
  const tables = await tableStandings(target);
  const of = (kind: ComparisonKind) => tables.filter((table) => comparisonKind(table) === kind);
  return [
    ...byGroup(of('whole')).map((batch) => ({
      ...tableBatch('compare', batch),
      hasLateRows: batch.some(({ identity }) => identity === 'late' || identity === 'append'),
    })),
    ...byChanges(of('changed')).map((batch) => tableBatch('compare', batch, 'tables that changed little')),
    ...byChanges(of('proven'), PROVEN_PER_BATCH).map((batch) =>
      tableBatch('look up', batch, 'proven tables'),
    ),
  ].map((batch) => ({ hasLateRows: false, ...batch }));
}

function byChanges(tables: TableStanding[], most = TABLES_PER_BATCH): TableStanding[][] {
  const batches: TableStanding[][] = [];
  let batch: TableStanding[] = [];
  let keys = 0;
  for (const table of tables) {
    const changes = Number(table.changes);
    if (batch.length === most || (batch.length > 0 && keys + changes > KEYS_PER_BATCH)) {
      batches.push(batch);
      batch = [];
      keys = 0;
    }
    batch.push(table);
    keys += changes;
  }
  return batch.length === 0 ? batches : [...batches, batch];
}
