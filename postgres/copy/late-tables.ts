import type { Client } from 'pg';
import { atSide, quoteQualified } from '../connect';
import { haveEqualRows, rowCondition, type LedgerIdentity, type TableChecksum } from '../ledger';
import { copyRows } from './copy-rows';
import { keepCounters } from './exact-scope';
import type { CopiedAmount } from './frame-relay';
import { onceInAttempt } from './late-step';
import type { SourceCounters } from './source-counters';

/** Takes a table's checksum under the client's snapshot, if it has one. */
export type ChecksumTable = (args: {
  client: Client;
  table: { schema: string; name: string };
  /** Chooses the rows of an extension's configuration table; absent: all. */
  condition?: string;
  signal: AbortSignal;
}) => Promise<TableChecksum>;

export interface LateTable {
  oid: number;
  schema: string;
  name: string;
  identity: 'late' | 'append';
  condition: string | null;
  /** As they stood at its copy; null: unknown. */
  counters: string | null;
}

/** Tables of which not every change is published. */
export async function lateTables(target: Client): Promise<LateTable[]> {
  const { rows } = await target.query<LateTable>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name, identity, copy_condition AS condition,
            source_counters::text AS counters
       FROM flexlift.table_load WHERE identity IN ('late', 'append') ORDER BY estimated_bytes DESC, table_oid`,
  );
  return rows;
}

/** Whether rows may have been updated or deleted since the table's copy. */
export function hasMoved(table: LateTable, now: SourceCounters | undefined): boolean {
  return now === undefined || !now.counting || table.counters !== now.counters;
}

/**
 * Compares one table and copies it anew where it differs. Its proof is gone then: what was proven is not what stands
 * there now.
 */
export async function renewTable(args: {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  attempt: number;
  table: LateTable;
  /** Read before the source's snapshot was taken. */
  counters: SourceCounters | undefined;
  checksumTable: ChecksumTable;
  signal: AbortSignal;
}): Promise<void> {
  const { source, target, identity, attempt, table, counters, signal } = args;
  const object = quoteQualified(table.schema, table.name);
  const step = { attempt, key: String(table.oid), name: object };
  const work = () =>
    onceInAttempt(target, identity, step, async () => {
      if (counters !== undefined) await keepCounters(target, [counters]);
      if (await isEqual(args, object)) return false;
      const started = performance.now();
      const copied = await copyRows({ source, target, table, condition: table.condition, signal });
      await markCopied(target, table.oid, copied, (performance.now() - started) / 1000);
      await target.query('DELETE FROM flexlift.proof WHERE table_oid = $1', [table.oid]);
      return true;
    });
  await atSide('target', target, work, object);
}

async function isEqual(
  { source, target, table, checksumTable, signal }: Parameters<typeof renewTable>[0],
  object: string,
): Promise<boolean> {
  const request = { table, condition: rowCondition(table.condition), signal };
  const there = await atSide('source', source, () => checksumTable({ ...request, client: source }), object);
  const here = await checksumTable({ ...request, client: target });
  return haveEqualRows(there, here);
}

async function markCopied(
  target: Client,
  oid: number,
  { rows, bytes }: CopiedAmount,
  seconds: number,
): Promise<void> {
  await target.query(
    `UPDATE flexlift.part
        SET rows = CASE part WHEN 1 THEN $2::int8 ELSE 0 END, bytes = CASE part WHEN 1 THEN $3::int8 ELSE 0 END,
            seconds = CASE part WHEN 1 THEN $4::float8 ELSE 0 END,
            copies = copies + CASE part WHEN 1 THEN 1 ELSE 0 END,
            copied_by = pg_catalog.current_setting('application_name'), copied_at = pg_catalog.clock_timestamp()
      WHERE table_oid = $1`,
    [oid, rows, bytes, seconds],
  );
}
