import type { Client } from 'pg';
import type { ComparePlan, CompareResult, CompareStep, DatabaseStep, Difference } from '../contract';
import { checksumTable, describeTable, differingKeys, firstDifferences } from '../postgres/compare';
import { quoteQualified } from '../postgres/connect';
import {
  compareBatches,
  keptSourceChecksum,
  saveTargetChecksum,
  tableLoad,
  type TableLoad,
} from '../postgres/ledger';
import type { Run } from './support/run';

export async function planCompareStep({ database }: DatabaseStep, run: Run): Promise<ComparePlan> {
  return await run.session('target', database, async (client) => ({ batches: await compareBatches(client) }));
}

/** The target's content against the checksum that was taken of the source under the copy's own snapshot. */
export async function compareTablesStep(
  { database, tableOids }: CompareStep,
  run: Run,
): Promise<CompareResult> {
  return await run.session('source', database, (source) =>
    run.session('target', database, async (target) => {
      const differences: Difference[] = [];
      for (const oid of tableOids) {
        const table = await tableLoad(target, oid);
        run.progress({ what: `compare ${quoteQualified(table.schema, table.name)}` });
        differences.push(...(await compareTable({ source, target, table, run })));
      }
      return { differences };
    }),
  );
}

async function compareTable({ source, target, table, run }: CompareArguments): Promise<Difference[]> {
  const { signal, identity } = run;
  const object = quoteQualified(table.schema, table.name);
  const kept = await keptSourceChecksum(target, table.oid);
  if (kept === undefined)
    return [{ kind: 'checksum', object, message: 'No checksum of the source was taken.' }];

  const columns = await describeTable(source, table.schema, table.name);
  const condition = table.condition;
  const found = await checksumTable({ client: target, table, columns, condition, signal });
  await saveTargetChecksum(target, identity, table.oid, found);
  if (kept.rows === found.rows && kept.checksum === found.checksum) return [];

  const keys = differingKeys(await firstDifferences({ source, target, table, condition, signal }));
  const message =
    kept.rows === found.rows
      ? `Both sides have ${kept.rows} rows, but their content differs.`
      : `The source has ${kept.rows} rows, the target ${found.rows}.`;
  return [{ kind: kept.rows === found.rows ? 'checksum' : 'rows', object, message, keys }];
}

interface CompareArguments {
  source: Client;
  target: Client;
  table: TableLoad;
  run: Run;
}
