import type { Client } from 'pg';
import type { Amounts } from '../../contract';
import { atSide, quoteQualified } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';
import { copyRows, copyWholeTables } from './copy-rows';
import type { CopiedAmount, RelayProgress } from './frame-relay';
import { lockOpenScope, markCopied, type PartCopied } from './mark-copied';
import type { Pace } from './pace';
import { tableBatches } from './table-batches';

/** The oid is the source's; the names are for failures. */
export interface SmallTable {
  oid: number;
  schema: string;
  name: string;
  /** As planned. */
  bytes: number;
}

export interface CopyTablesArguments {
  /** In a transaction that stands in the scope's snapshot. */
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /** The number of the scope whose snapshot `source` stands in. */
  scope: number;
  /** Each of one part. */
  tables: SmallTable[];
  signal: AbortSignal;
  pace?: Pace;
  /** The sum of all so far, and what is being copied. */
  onProgress?: (progress: CopiedAmount & { what: string }) => void;
}

/**
 * Copies whole tables and notes them in the ledger, several in one transaction of the target: all of them are copied or
 * none is. What another attempt has copied is passed over; where one is still at it, this one waits for its end.
 *
 * @returns what was copied now
 * @throws FlexliftError SnapshotLost where the scope is not open any more, SchemaDrift, and what either server throws
 */
export async function copyTables(args: CopyTablesArguments): Promise<Amounts> {
  const total: Amounts = { tables: 0, rows: 0, bytes: 0 };
  for (const tables of tableBatches(args.tables)) {
    args.signal.throwIfAborted();
    // what was taken too fast shows only now
    await args.pace?.held(args.signal);
    const copied = await copyBatch(args, tables, ({ object: what = '', rows, bytes }) =>
      args.onProgress?.({ what, rows: total.rows + rows, bytes: total.bytes + bytes }),
    );
    for (const { rows, bytes } of copied) {
      total.tables += 1;
      total.rows += rows;
      total.bytes += bytes;
    }
  }
  return total;
}

interface LockedTable extends SmallTable {
  /** Of an extension's configuration table; see `table_load`. */
  condition: string | null;
}

async function copyBatch(
  args: CopyTablesArguments,
  tables: SmallTable[],
  onProgress: (progress: RelayProgress) => void,
): Promise<PartCopied[]> {
  const { source, target, identity, scope, signal, pace } = args;
  const work = () =>
    withLedger(target, identity, async () => {
      const locked = await lockUncopied(target, scope, tables);
      const whole = locked.filter((table) => table.condition === null);
      const copied =
        whole.length === 0
          ? []
          : await copyWholeTables({ source, target, tables: whole, signal, pace, onProgress });
      const parts = copied.map((amount, index) => ({ tableOid: whole[index]?.oid ?? 0, part: 1, ...amount }));
      for (const table of locked) {
        if (table.condition !== null) parts.push(await copyConditioned(args, table, onProgress));
      }
      await markCopied(target, scope, parts);
      return parts;
    });
  const [only] = tables.length === 1 ? tables : [];
  return await atSide('target', target, work, only && quoteQualified(only.schema, only.name));
}

async function copyConditioned(
  args: CopyTablesArguments,
  table: LockedTable,
  onProgress: (progress: RelayProgress) => void,
): Promise<PartCopied> {
  const { source, target, signal, pace } = args;
  const started = performance.now();
  const { condition } = table;
  const copy = () => copyRows({ source, target, table, condition, signal, pace, onProgress });
  const copied = await atSide('target', target, copy, quoteQualified(table.schema, table.name));
  return { tableOid: table.oid, part: 1, ...copied, seconds: (performance.now() - started) / 1000 };
}

async function lockUncopied(target: Client, scope: number, tables: SmallTable[]): Promise<LockedTable[]> {
  await lockOpenScope(target, scope);
  const { rows } = await target.query<{ oid: number; condition: string | null; copied: boolean }>(
    `SELECT p.table_oid AS oid, t.copy_condition AS condition, p.copied_at IS NOT NULL AS copied
       FROM flexlift.part p JOIN flexlift.table_load t USING (table_oid)
      WHERE p.table_oid = ANY ($1::pg_catalog.oid[]) AND p.part = 1
      ORDER BY p.table_oid
        FOR UPDATE OF p`,
    [tables.map((table) => table.oid)],
  );
  const parts = new Map(rows.map((row) => [row.oid, row]));
  return tables.flatMap((table) => {
    const row = parts.get(table.oid);
    if (row === undefined) throw new Error(`the ledger knows no table with oid ${table.oid}`);
    return row.copied ? [] : [{ ...table, condition: row.condition }];
  });
}
