import type { Client } from 'pg';
import type { ComparePlan, CompareResult, CompareStep, DatabaseStep, Difference } from '../contract';
import {
  checksumTable,
  describeTable,
  differenceOfTable,
  differingKeys,
  firstDifferences,
} from '../postgres/compare';
import { quoteQualified } from '../postgres/connect';
import { hasSourceMoved } from '../postgres/copy';
import {
  compareBatches,
  keptSourceChecksum,
  saveComparison,
  tableLoad,
  type TableLoad,
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
    const differences: Difference[] = [];
    for (const oid of tableOids) {
      const table = await tableLoad(target, oid);
      run.progress({ what: `compare ${quoteQualified(table.schema, table.name)}` });
      differences.push(...(await compareTable({ source, target, table, moved, run })));
    }
    return { differences };
  });
}

async function compareTable({ source, target, table, moved, run }: CompareArguments): Promise<Difference[]> {
  const { signal, identity } = run;
  const { condition } = table;
  const columns = await describeTable(source, table.schema, table.name);
  const kept = moved ? undefined : await keptSourceChecksum(target, table.oid);
  const there = kept ?? (await checksumTable({ client: source, table, columns, condition, signal }));
  const here = await checksumTable({ client: target, table, columns, condition, signal });
  await saveComparison(target, identity, table.oid, { source: there, target: here });
  if (there.rows === here.rows && there.checksum === here.checksum) return [];

  const keys = differingKeys(await firstDifferences({ source, target, table, condition, signal }));
  return [differenceOfTable(table, there, here, keys)];
}

interface CompareArguments {
  source: Client;
  target: Client;
  table: TableLoad;
  /** The source's server was written to since the snapshot: what was kept of the table may be out of date. */
  moved: boolean;
  run: Run;
}
