import type { Client } from 'pg';
import { atSide, quoteQualified } from '../connect';
import { silenceTriggers } from '../ledger';
import { copyStatements, type CopyStatements, type RowRange } from './copy-sql';
import { actAsReplica, emptyTables } from './empty-tables';
import {
  relayCopies,
  type CopiedAmount,
  type CopyPair,
  type RelayedCopy,
  type RelayProgress,
} from './frame-relay';
import type { Pace } from './pace';
import { sourceTables, targetTables, type CopyTable } from './table-columns';

interface Copying {
  source: Client;
  target: Client;
  signal: AbortSignal;
  pace?: Pace;
  onProgress?: (progress: RelayProgress) => void;
}

export interface CopyRowsArguments extends Copying {
  /** The oid is the source's. */
  table: { oid: number; schema: string; name: string };
  /** Absent: the whole table; what the target's holds is removed first. */
  range?: RowRange;
  /** The WHERE clause of an extension's configuration table, empty for all of its rows; null for every other table. */
  condition: string | null;
}

interface CopyWholeTablesArguments extends Copying {
  /** The oids are the source's, the bytes as planned; at least one. */
  tables: { oid: number; bytes: number }[];
}

/** As the source counts them, with free space and visibility maps. Smaller tables are vacuumed in no time. */
const BYTES_TO_FREEZE = 128 * 1024;

/**
 * Copies rows in the transactions that both sessions stand in. Nothing is written where an extension's table holds no rows
 * under its condition on either side: on a managed server it is the provider's, who lets nobody write to it.
 */
export async function copyRows(args: CopyRowsArguments): Promise<CopiedAmount> {
  const { source, target, table, range, condition, signal, pace, onProgress } = args;
  const object = quoteQualified(table.schema, table.name);
  const from = await atSide('source', source, () => sourceTables(source, [table.oid]), object);
  const into = await targetTables(target, from);
  if (condition !== null && (await areEmpty(args, object, condition))) return { rows: 0, bytes: 0 };
  await actAsReplica(target);
  // those among an extension's tables stand before any rows come, in whatever order
  if (condition !== null) await silenceTriggers(target);
  const freeze = await makeRoom(args, object);
  const [copied] = await relayCopies({
    ...{ source, target, signal, pace, onProgress },
    copies: copyPairs(from, into, { rows: condition ?? range, freeze: [freeze] }),
  });
  return { rows: copied?.rows ?? 0, bytes: copied?.bytes ?? 0 };
}

/** Copies whole tables one after the other, with as many round trips as one takes; what the target's hold is removed first. */
export async function copyWholeTables({
  source,
  target,
  tables,
  signal,
  pace,
  onProgress,
}: CopyWholeTablesArguments): Promise<RelayedCopy[]> {
  const oids = tables.map((table) => table.oid);
  const from = await atSide('source', source, () => sourceTables(source, oids));
  const into = await targetTables(target, from);
  await actAsReplica(target);
  const freeze = await emptyTables(
    target,
    into.map((table, index) => ({ ...table, anew: (tables[index]?.bytes ?? 0) >= BYTES_TO_FREEZE })),
  );
  return await relayCopies({
    ...{ source, target, signal, pace, onProgress },
    copies: copyPairs(from, into, { freeze }),
  });
}

/** @param into the same tables on the target, in the same order */
export function copyPairs(
  from: CopyTable[],
  into: CopyTable[],
  { rows, freeze }: { rows?: RowRange | string; freeze: boolean[] },
): (CopyPair & CopyStatements)[] {
  return from.flatMap((table, index) => {
    const same = into[index];
    if (same === undefined) return [];
    const object = quoteQualified(table.schema, table.name);
    return [{ ...copyStatements(table, same, rows, freeze[index] === true), object }];
  });
}

async function areEmpty({ source, target }: Copying, object: string, condition: string): Promise<boolean> {
  const sql = `SELECT FROM ONLY ${object} ${condition} LIMIT 1`;
  const there = await atSide('source', source, () => source.query(sql), object);
  if (there.rowCount !== 0) return false;
  const here = await atSide('target', target, () => target.query(sql), object);
  return here.rowCount === 0;
}

/** @returns whether the table was truncated */
async function makeRoom(
  { target, table, range, condition }: CopyRowsArguments,
  object: string,
): Promise<boolean> {
  // an extension put rows of its own there, which its condition leaves alone
  if (condition !== null) await target.query(`DELETE FROM ONLY ${object} ${condition}`);
  else if (range === undefined) {
    const [isTruncated = false] = await emptyTables(target, [{ ...table, anew: true }]);
    return isTruncated;
  }
  return false;
}
