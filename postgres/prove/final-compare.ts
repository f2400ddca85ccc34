import type { Client } from 'pg';
import type { Difference } from '../../contract';
import {
  checksumTable,
  describeTables,
  differenceOfTable,
  differingKeys,
  firstDifferences,
  type Described,
} from '../compare';
import { quoteQualified } from '../connect';
import { haveEqualRows, saveComparisons, type FoundChecksums, type LedgerIdentity } from '../ledger';
import { changedKeys } from './changed-keys';
import { compareChangedRows, type ChangedRowsComparison } from './changed-rows';
import { currentStandings } from './current-standings';
import { comparisonKind } from './final-compare-plan';
import { readIdentityKeys, type KeyColumn } from './identity-key';
import type { TableStanding } from './table-standings';

export interface FinalCompareArguments {
  /** Fenced; outside of a transaction. */
  source: Client;
  /** With all of the source's changes, its applier quiet; outside of a transaction. */
  target: Client;
  identity: LedgerIdentity;
  signal: AbortSignal;
  /** For a person, what is going on; before each table that is read. */
  onProgress: (what: string) => void;
  /** On the source. */
  tableOids: number[];
}

interface Comparison extends FoundChecksums {
  difference?: Difference;
}

/**
 * The last comparison before the release: of a table with a proof what changed since, of every other one, and of one whose
 * definition was touched since, all rows. So it
 * lasts as long as the changes are many, not as the data is large. What it does not see: a row of a proven table that
 * somebody other than the applier changed on the target since the proof, and that the source did not change.
 *
 * The ledger keeps the result with each table. Of a proven table it is the proof's own checksum, and where rows were
 * looked up, that and the sum of their hashes on either side.
 *
 * @throws FlexliftError StatementRejected where a table or a column is missing on a side
 */
export async function finalCompare(args: FinalCompareArguments): Promise<Difference[]> {
  const { source, target, identity, signal } = args;
  const tables = await currentStandings(source, target, args.tableOids);
  const comparisons: Comparison[] = [];
  const unproven: TableStanding[] = [];
  for (const table of tables) {
    const proven = provenComparison(table);
    if (proven === undefined) unproven.push(table);
    else comparisons.push(proven);
  }
  for (const { table, key } of await withKeys(source, unproven)) {
    signal.throwIfAborted();
    args.onProgress(`compare ${quoteQualified(table.schema, table.name)}`);
    comparisons.push((await compareChanged(args, table, key)) ?? (await compareWhole(args, table)));
  }
  await saveComparisons(target, identity, comparisons);
  return comparisons.flatMap(({ difference }) => difference ?? []);
}

/** Asked of all of them at once: nobody can write meanwhile. */
async function withKeys(
  source: Client,
  tables: TableStanding[],
): Promise<{ table: Described<TableStanding>; key: KeyColumn[] | undefined }[]> {
  if (tables.length === 0) return [];
  const described = await describeTables(source, tables);
  const keys = await readIdentityKeys(source, described);
  return described.map((table, index) => ({ table, key: keys[index] }));
}

function provenComparison(table: TableStanding): Comparison | undefined {
  const { proof, oid } = table;
  if (proof === undefined || comparisonKind(table) !== 'proven') return undefined;
  const { rows, checksum } = proof;
  return { tableOid: oid, source: { rows, checksum }, target: { rows, checksum } };
}

/** @returns `undefined` where the changed rows cannot be looked up, or are too many */
async function compareChanged(
  { source, target, signal }: FinalCompareArguments,
  table: Described<TableStanding>,
  key: KeyColumn[] | undefined,
): Promise<Comparison | undefined> {
  const { proof, identity, isApplied, changes, columns } = table;
  if (proof === undefined || identity !== 'key' || !isApplied || changes === 'unknown') return undefined;
  if (key === undefined) return undefined;
  const keys = await changedKeys(target, table.oid, proof.rows);
  if (keys?.every((values) => values.length === key.length) !== true) return undefined;
  const found = await compareChangedRows({ source, target, table, columns, key, keys, signal });
  const adjusted = (sum: bigint) => ({
    rows: proof.rows,
    checksum: (BigInt(proof.checksum) + sum).toString(),
  });
  return {
    tableOid: table.oid,
    source: adjusted(found.sourceSum),
    target: adjusted(found.targetSum),
    difference: differenceOfChanged(table, keys.length, found),
  };
}

function differenceOfChanged(
  table: TableStanding,
  compared: number,
  { differing, keys }: ChangedRowsComparison,
): Difference | undefined {
  if (differing === 0) return undefined;
  const message = `Of ${compared} rows that changed since the table was proven equal, ${differing} differ.`;
  return { kind: 'checksum', object: quoteQualified(table.schema, table.name), message, keys };
}

async function compareWhole(
  { source, target, signal }: FinalCompareArguments,
  table: Described<TableStanding>,
): Promise<Comparison> {
  const { condition, columns } = table;
  const [there, here] = await Promise.all(
    [source, target].map((client) => checksumTable({ client, table, columns, condition, signal })),
  );
  if (there === undefined || here === undefined) throw new Error('two sides have two checksums');
  const comparison = { tableOid: table.oid, source: there, target: here };
  if (haveEqualRows(there, here)) return comparison;
  const keys = differingKeys(await firstDifferences({ source, target, table, condition, signal }));
  return { ...comparison, difference: differenceOfTable(table, there, here, keys) };
}
