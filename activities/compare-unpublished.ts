import type { Client } from 'pg';
import type { CompareResult, Difference, FenceStep } from '../contract';
import { checksumTable } from '../postgres/compare';
import { quoteQualified } from '../postgres/connect';
import { lateTables, type LateTable } from '../postgres/copy';
import { haveEqualRows, keptSourceChecksums, rowCondition } from '../postgres/ledger';
import { compareLargeObjects } from './compare-large-objects';
import type { Run } from './support/run';

/**
 * What is written on the source and no marker tells of, for decoding does not carry it, or nothing publishes it: large
 * objects, which below 16 even a read-only transaction may write, and tables that no fence keeps from being written.
 * Tables are compared with what the last comparison read of them.
 */
export async function compareUnpublishedStep(step: FenceStep, run: Run): Promise<CompareResult> {
  const { signal } = run;
  return await run.sessions(step.database, async (source, target) => {
    run.progress({ what: 'compare the large objects' });
    const differences = await compareLargeObjects(source, target, signal);
    for (const table of await unfencedTables(source, target, step)) {
      run.progress({ what: `compare ${quoteQualified(table.schema, table.name)}` });
      differences.push(...(await writtenSince(source, target, table, signal)));
    }
    return { differences };
  });
}

/**
 * Of tables without a replica identity the fence keeps UPDATE and DELETE, and their INSERT comes in the stream. Some have
 * one all the same, which tells no row.
 */
async function unfencedTables(source: Client, target: Client, { fence }: FenceStep): Promise<LateTable[]> {
  const tables = await lateTables(target);
  if (fence === 'none') return tables;
  const { rows } = await source.query<{ oid: number }>(
    `SELECT oid FROM pg_catalog.pg_class c
      WHERE oid = ANY ($1::pg_catalog.oid[]) AND (relreplident IN ('f', 'i') OR (relreplident = 'd' AND EXISTS (
            SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate)))`,
    [tables.map(({ oid }) => oid)],
  );
  const identified = new Set(rows.map(({ oid }) => oid));
  return tables.filter(({ identity, oid }) => identity === 'late' || identified.has(oid));
}

async function writtenSince(
  source: Client,
  target: Client,
  table: LateTable,
  signal: AbortSignal,
): Promise<Difference[]> {
  const before = (await keptSourceChecksums(target, [table.oid])).get(table.oid);
  if (before === undefined) return [];
  const condition = rowCondition(table.condition);
  const now = await checksumTable({ client: source, table, condition, signal });
  if (haveEqualRows(now, before)) return [];
  const object = quoteQualified(table.schema, table.name);
  return [{ kind: 'checksum', object, message: 'The source has other rows than when they were compared.' }];
}
