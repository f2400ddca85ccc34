import type { Client } from 'pg';
import { enumerate } from '../../contract';
import { quoteQualified } from '../connect';
import {
  haveEqualRows,
  inTransaction,
  lockLedger,
  rowCondition,
  type LedgerIdentity,
  type TableChecksum,
} from '../ledger';
import { schemaDrift } from './schema-drift';
import { refuseOpenScope, resetInBatches } from './reset-in-batches';
import { resetLargeObjects } from './reset-tables';
import { openScope, settledXmax, type Scope } from './scope';
import { differingTables, type SourceTable } from './source-tables';
import { tableBatches } from './table-batches';

interface TableName {
  oid: number;
  schema: string;
  name: string;
}

/** Takes the tables' checksums under the client's snapshot, in their order. */
export type ChecksumTables = (args: {
  client: Client;
  /** `condition` chooses the rows of an extension's configuration table; absent: all. */
  tables: (TableName & { condition?: string })[];
  signal: AbortSignal;
}) => Promise<TableChecksum[]>;

/** @throws FlexliftError SchemaDrift where the source's tables are no longer those the load was planned for */
export async function checkPlannedTables(target: Client, tables: SourceTable[]): Promise<void> {
  const { rows } = await target.query<TableName>(
    'SELECT table_oid AS oid, schema_name AS schema, table_name AS name FROM flexlift.table_load',
  );
  refuseDrift(differingTables<TableName>(rows, tables));
}

/** @throws FlexliftError SchemaDrift where there are any */
export function refuseDrift(differing: TableName[]): void {
  if (differing.length === 0) return;
  const names = [...new Set(differing.map((table) => quoteQualified(table.schema, table.name)))];
  throw schemaDrift(
    `Tables were created, dropped or renamed on the source since the load was planned: ${enumerate(names)}.`,
    { side: 'source' },
  );
}

interface CopiedTable extends TableName {
  /** Its checksum was taken under the one scope that all its parts are copied under. */
  keepable: boolean;
  condition: string | null;
  /** As planned. */
  bytes: number;
  rows: string;
  checksum: string;
}

/**
 * Settles what was copied under earlier scopes, and opens one for the new snapshot: a table stays as it is where it was
 * wholly copied and the source's checksum is still the same; all others are emptied and planned again before the scope is
 * open. Parts of two snapshots so never mix in one table. To be called after `retireScope`.
 *
 * @param args.source stands in the new snapshot
 * @throws FlexliftError SnapshotLost where another keeper was faster
 */
export async function reconcile(args: {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  snapshot: string;
  checksumTables: ChecksumTables;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}): Promise<Scope> {
  const { target, identity, snapshot } = args;
  const sourceXmax = await settledXmax(args.source);
  const copied = await copiedTables(target);
  const kept = await tablesToKeep(args, copied);
  await resetInBatches({
    ...{ target, identity, tables: copied.filter((table) => !kept.has(table.oid)) },
    isWanted: () => refuseOpenScope(target),
  });
  return await inTransaction(target, async () => {
    await lockLedger(target, identity, 'SHARE');
    const scope = await openScope(target, { snapshot, sourceXmax });
    await keepTables(target, [...kept], scope.scope);
    await resetLargeObjects(target);
    return scope;
  });
}

async function copiedTables(target: Client): Promise<CopiedTable[]> {
  const { rows } = await target.query<CopiedTable>(
    `SELECT t.table_oid AS oid, t.schema_name AS schema, t.table_name AS name,
            t.source_rows AS rows, t.source_checksum AS checksum, t.copy_condition AS condition,
            t.estimated_bytes::float8 AS bytes,
            t.source_checksum IS NOT NULL AND pg_catalog.bool_and(p.copied_at IS NOT NULL)
              AND pg_catalog.bool_and(p.scope IS NOT DISTINCT FROM t.source_scope)
              AND pg_catalog.sum(p.rows) = t.source_rows AS keepable
       FROM flexlift.table_load t JOIN flexlift.part p USING (table_oid)
      GROUP BY t.table_oid
     HAVING pg_catalog.bool_or(p.copied_at IS NOT NULL) OR t.source_checksum IS NOT NULL
      ORDER BY t.estimated_bytes DESC`,
  );
  return rows;
}

async function tablesToKeep(
  args: Parameters<typeof reconcile>[0],
  copied: CopiedTable[],
): Promise<Set<number>> {
  const { source, signal, checksumTables, onProgress } = args;
  const kept = new Set<number>();
  for (const batch of tableBatches(copied.filter((table) => table.keepable))) {
    const names = batch.map((table) => quoteQualified(table.schema, table.name));
    onProgress(`comparing ${enumerate(names)} with what was copied from the lost snapshot`);
    const tables = batch.map((table) => ({ ...table, condition: rowCondition(table.condition) }));
    const now = await checksumTables({ client: source, tables, signal });
    batch.forEach((before, index) => {
      const found = now[index];
      if (found !== undefined && haveEqualRows(found, before)) kept.add(before.oid);
    });
  }
  return kept;
}

async function keepTables(target: Client, oids: number[], scope: number): Promise<void> {
  await target.query('UPDATE flexlift.table_load SET source_scope = $2 WHERE table_oid = ANY ($1::oid[])', [
    oids,
    scope,
  ]);
  await target.query('UPDATE flexlift.part SET scope = $2 WHERE table_oid = ANY ($1::oid[])', [oids, scope]);
}
