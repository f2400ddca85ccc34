import type { Client } from 'pg';
import { atSide, quoteQualified } from '../connect';
import { copyStatements, type RowRange } from './copy-sql';
import { actAsReplica, emptyTables } from './empty-tables';
import { relayCopy, type CopiedAmount } from './frame-relay';
import type { Pace } from './pace';
import { sourceTable, targetTable } from './table-columns';

export interface CopyRowsArguments {
  source: Client;
  target: Client;
  /** The oid is the source's. */
  table: { oid: number; schema: string; name: string };
  /** Absent: the whole table; what the target's holds is removed first. */
  range?: RowRange;
  /** The WHERE clause of an extension's configuration table, empty for all of its rows; null for every other table. */
  condition: string | null;
  signal: AbortSignal;
  pace?: Pace;
  onProgress?: (progress: CopiedAmount) => void;
}

/**
 * Copies rows in the transactions that both sessions stand in. Nothing is written where an extension's table holds no rows
 * under its condition on either side: on a managed server it is the provider's, who lets nobody write to it.
 */
export async function copyRows(args: CopyRowsArguments): Promise<CopiedAmount> {
  const { source, target, table, range, condition, signal, pace, onProgress } = args;
  const object = quoteQualified(table.schema, table.name);
  const from = await atSide('source', source, () => sourceTable(source, table.oid), object);
  const into = await targetTable(target, from);
  if (condition !== null && (await areEmpty([source, target], object, condition)))
    return { rows: 0, bytes: 0 };
  await actAsReplica(target);
  const freeze = await makeRoom(args, object);
  const { copyTo, copyFrom } = copyStatements(from, into, condition ?? range, freeze);
  return await relayCopy({ source, target, copyTo, copyFrom, object, signal, pace, onProgress });
}

async function areEmpty(clients: Client[], object: string, condition: string): Promise<boolean> {
  for (const client of clients) {
    const { rowCount } = await client.query(`SELECT FROM ONLY ${object} ${condition} LIMIT 1`);
    if (rowCount !== 0) return false;
  }
  return true;
}

/** @returns whether the table was truncated. */
async function makeRoom(
  { target, table, range, condition }: CopyRowsArguments,
  object: string,
): Promise<boolean> {
  // an extension put rows of its own there, which its condition leaves alone
  if (condition !== null) await target.query(`DELETE FROM ONLY ${object} ${condition}`);
  else if (range === undefined) return await emptyTables(target, [table]);
  return false;
}
