import type { Client } from 'pg';
import type { ComparePlan, CompareResult, CompareStep, DatabaseStep, Difference } from '../contract';
import {
  checksumTables,
  describeTables,
  differenceOfTable,
  differingKeys,
  firstDifferences,
  type Described,
} from '../postgres/compare';
import { quoteQualified } from '../postgres/connect';
import { hasSourceMoved, tableBatches } from '../postgres/copy';
import {
  compareBatches,
  haveEqualRows,
  keptSourceChecksums,
  saveComparisons,
  tableLoads,
  type SizedTable,
  type TableChecksum,
} from '../postgres/ledger';
import type { Run } from './support/run';

export async function planCompareStep({ database }: DatabaseStep, run: Run): Promise<ComparePlan> {
  return await run.session('target', database, async (client) => ({ batches: await compareBatches(client) }));
}

/**
 * The target's content against the checksum that was taken of the source under the copy's own snapshot; where anything
 * was written on the source since, against one taken now: a writer that was forgotten must not go unnoticed.
 */
export async function compareTablesStep(
  { database, tableOids }: CompareStep,
  run: Run,
): Promise<CompareResult> {
  return await run.sessions(database, async (source, target) => {
    const moved = await hasSourceMoved(source, target);
    const tables = await tablesOf(target, tableOids);
    const differences: Difference[] = [];
    for (const batch of tableBatches(tables)) {
      const [first] = batch;
      if (first !== undefined) run.progress({ what: `compare ${quoteQualified(first.schema, first.name)}` });
      differences.push(...(await compareBatch({ source, target, tables: batch, moved, run })));
    }
    return { differences };
  });
}

async function tablesOf(target: Client, oids: number[]): Promise<SizedTable[]> {
  const byOid = new Map((await tableLoads(target, oids)).map((table) => [table.oid, table]));
  return oids.map((oid) => {
    const table = byOid.get(oid);
    if (table === undefined) throw new Error(`the ledger knows no table with oid ${oid}`);
    return table;
  });
}

async function compareBatch(args: CompareArguments): Promise<Difference[]> {
  const { source, target, tables, moved, run } = args;
  const oids = tables.map(({ oid }) => oid);
  const kept = moved ? new Map<number, TableChecksum>() : await keptSourceChecksums(target, oids);
  const described = await describeTables(source, tables);
  const [there, here] = await Promise.all([
    sourceChecksums(args, described, kept),
    checksumTables({ client: target, tables: described, signal: run.signal }),
  ]);
  const found = tables.map((table, index) => ({ table, ...bothOf(there[index], here[index]) }));
  await saveComparisons(
    target,
    run.identity,
    found.map(({ table, ...both }) => ({ tableOid: table.oid, ...both })),
  );
  const differences: Difference[] = [];
  for (const { table, source: sum, target: other } of found) {
    if (haveEqualRows(sum, other)) continue;
    const { condition } = table;
    const keys = differingKeys(
      await firstDifferences({ source, target, table, condition, signal: run.signal }),
    );
    differences.push(differenceOfTable(table, sum, other, keys));
  }
  return differences;
}

/** What was kept, and of the other tables what is there now. */
async function sourceChecksums(
  { source, run }: CompareArguments,
  tables: Described<SizedTable>[],
  kept: Map<number, TableChecksum>,
): Promise<(TableChecksum | undefined)[]> {
  const others = tables.filter(({ oid }) => !kept.has(oid));
  const found = await checksumTables({ client: source, tables: others, signal: run.signal });
  const now = new Map(others.map(({ oid }, index) => [oid, found[index]]));
  return tables.map(({ oid }) => kept.get(oid) ?? now.get(oid));
}

function bothOf(source: TableChecksum | undefined, target: TableChecksum | undefined) {
  if (source === undefined || target === undefined) throw new Error('two sides have two checksums');
  return { source, target };
}

interface CompareArguments {
  source: Client;
  target: Client;
  tables: SizedTable[];
  /** The source's server was written to since the snapshot: what was kept of the tables may be out of date. */
  moved: boolean;
  run: Run;
}
