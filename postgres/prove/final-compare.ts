import type { Client } from 'pg';
import type { Difference } from '../../contract';
import {
  checksumTable,
  describeTable,
  differenceOfTable,
  differingKeys,
  firstDifferences,
  type ColumnDescription,
} from '../compare';
import { quoteQualified } from '../connect';
import { haveEqualRows, saveComparisons, type FoundChecksums, type LedgerIdentity } from '../ledger';
import { changedKeys } from './changed-keys';
import { compareChangedRows, type ChangedRowsComparison } from './changed-rows';
import { currentStandings } from './current-standings';
import { comparisonKind } from './final-compare-plan';
import { readIdentityKey } from './identity-key';
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
  const comparisons: Comparison[] = [];
  for (const table of await currentStandings(source, target, args.tableOids)) {
    signal.throwIfAborted();
    comparisons.push(provenComparison(table) ?? (await readAndCompare(args, table)));
  }
  await saveComparisons(target, identity, comparisons);
  return comparisons.flatMap(({ difference }) => difference ?? []);
}

function provenComparison(table: TableStanding): Comparison | undefined {
  const { proof, oid } = table;
  if (proof === undefined || comparisonKind(table) !== 'proven') return undefined;
  const { rows, checksum } = proof;
  return { tableOid: oid, source: { rows, checksum }, target: { rows, checksum } };
}

async function readAndCompare(args: FinalCompareArguments, table: TableStanding): Promise<Comparison> {
  const { source } = args;
  args.onProgress(`compare ${quoteQualified(table.schema, table.name)}`);
  const columns = await describeTable(source, table.schema, table.name);
  return (await compareChanged(args, table, columns)) ?? (await compareWhole(args, table, columns));
}

/** @returns `undefined` where the changed rows cannot be looked up, or are too many */
async function compareChanged(
  { source, target, signal }: FinalCompareArguments,
  table: TableStanding,
  columns: ColumnDescription[],
): Promise<Comparison | undefined> {
  const { proof, identity, isApplied, changes } = table;
  if (proof === undefined || identity !== 'key' || !isApplied || changes === 'unknown') return undefined;
  const key = await readIdentityKey(source, table, columns);
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
  table: TableStanding,
  columns: ColumnDescription[],
): Promise<Comparison> {
  const { condition } = table;
  const [there, here] = await Promise.all(
    [source, target].map((client) => checksumTable({ client, table, columns, condition, signal })),
  );
  if (there === undefined || here === undefined) throw new Error('two sides have two checksums');
  const comparison = { tableOid: table.oid, source: there, target: here };
  if (haveEqualRows(there, here)) return comparison;
  const keys = differingKeys(await firstDifferences({ source, target, table, condition, signal }));
  return { ...comparison, difference: differenceOfTable(table, there, here, keys) };
}
