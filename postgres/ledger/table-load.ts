import type { Client } from 'pg';
import type { ComparePlan, LargeObjectBatches, LoadPlan, TableReport } from '../../contract';
import { quoteQualified } from '../connect';

/**
 * How a table's changes come while it is replicated:
 * - `key`: each with the key of its row;
 * - `full`: each with the whole old row (REPLICA IDENTITY FULL);
 * - `append`: INSERT and TRUNCATE alone, for it has no key; its counters tell whether there were others;
 * - `late`: not at all; it is compared, and copied anew where it differs, at the cutover.
 */
export type StreamIdentity = 'key' | 'full' | 'append' | 'late';

/** One table as the ledger knows it. */
export interface TableLoad {
  /** On the source. */
  oid: number;
  schema: string;
  name: string;
  /** Chooses the rows to copy and compare of an extension's configuration table; absent: all. */
  condition?: string;
}

export interface SizedTable extends TableLoad {
  /** As estimated when the load was planned. */
  bytes: number;
}

interface TableRow {
  table_oid: number;
  schema_name: string;
  table_name: string;
  copy_condition: string | null;
  estimated_bytes: string;
}

interface LoadRow extends TableRow {
  group_number: number | null;
  parts_left: number[];
  checksum_left: boolean;
  indexes_left: LoadPlan['largeTables'][number]['indexes'];
}

/** Post-data entries that belong to one loaded table and wait for nothing but its rows. */
const UNBUILT = `
  FROM flexlift.archive_entry e
 WHERE e.phase = 'table' AND e.skipped_by IS NULL
   AND NOT EXISTS (SELECT FROM flexlift.step s WHERE s.kind = 'entry' AND s.key = e.dump_id::text)`;

const INDEX_ENTRIES = `
  SELECT e.table_oid, e.dump_id, e.position, e.object, e.description <> 'INDEX' AS locks_table,
         e.key_index IS NOT NULL AS has_key_index ${UNBUILT}`;

const TABLE_COLUMNS = 'table_oid, schema_name, table_name, copy_condition, estimated_bytes';

// under OR it is looked up in a hash: nobody analyzes the ledger, and of a join the planner might make a nested loop
const IS_WANTED = `($2::oid IS NULL AND $3::int4 IS NULL OR table_oid IN (SELECT table_oid FROM wanted))`;

const TABLES_LEFT = `
  WITH wanted AS (
    SELECT ${TABLE_COLUMNS}, group_number, source_checksum
      FROM flexlift.table_load
     WHERE ($2::oid IS NULL OR table_oid = $2) AND ($3::int4 IS NULL OR group_number = $3)),
  parts AS (
    SELECT table_oid, CASE WHEN pg_catalog.bool_or(copied_at IS NULL)
                           THEN pg_catalog.array_agg(part ORDER BY part) END AS parts_left
      FROM flexlift.part WHERE ${IS_WANTED} GROUP BY table_oid),
  indexes AS (
    SELECT table_oid, pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('dumpId', dump_id, 'name', object,
                                                                         'locksTable', locks_table,
                                                                         'hasKeyIndex', has_key_index)
                                           ORDER BY position) AS indexes_left
      FROM (${INDEX_ENTRIES} AND ${IS_WANTED}) entries GROUP BY table_oid)
  SELECT t.table_oid AS table_oid, t.schema_name, t.table_name, t.estimated_bytes, t.copy_condition, t.group_number,
         COALESCE(parts_left, '{}') AS parts_left,
         $1 AND t.source_checksum IS NULL AS checksum_left,
         COALESCE(indexes_left, '[]') AS indexes_left
    FROM wanted t
    JOIN parts USING (table_oid)
    LEFT JOIN indexes USING (table_oid)
   WHERE parts_left IS NOT NULL OR ($1 AND t.source_checksum IS NULL) OR indexes_left IS NOT NULL
   ORDER BY t.estimated_bytes DESC, t.table_oid`;

export interface LeftOptions {
  /** The source's checksums are wanted, too. */
  checksums: boolean;
  /** This table alone. */
  tableOid?: number;
}

/**
 * What is left to load, as the ledger stands. A table that is copied in part has all its parts left: they must be of one
 * snapshot, and a part that is of the one which is still held is found done.
 */
export async function remainingLoad(client: Client, options: LeftOptions): Promise<LoadPlan> {
  const totals = await client.query<
    Record<'planned_tables' | 'planned_bytes' | 'tables' | 'rows' | 'bytes', string>
  >(`
    WITH copied AS (
      SELECT pg_catalog.sum(rows) AS rows, pg_catalog.sum(bytes) AS bytes
        FROM flexlift.part GROUP BY table_oid HAVING pg_catalog.bool_and(copied_at IS NOT NULL))
    SELECT (SELECT pg_catalog.count(*) FROM flexlift.table_load) AS planned_tables,
           (SELECT COALESCE(pg_catalog.sum(estimated_bytes), 0) FROM flexlift.table_load) AS planned_bytes,
           (SELECT pg_catalog.count(*) FROM copied) AS tables,
           (SELECT COALESCE(pg_catalog.sum(rows), 0) FROM copied) AS rows,
           (SELECT COALESCE(pg_catalog.sum(bytes), 0) FROM copied) AS bytes`);
  const rows = await tablesLeft(client, options);
  const batches = await client.query<{ batch: number }>(
    'SELECT batch FROM flexlift.large_object_batch WHERE copied_at IS NULL AND $1 ORDER BY batch',
    [options.tableOid === undefined],
  );
  const [total] = totals.rows;
  return {
    planned: { tables: Number(total?.planned_tables), rows: 0, bytes: Number(total?.planned_bytes) },
    copied: { tables: Number(total?.tables), rows: Number(total?.rows), bytes: Number(total?.bytes) },
    largeTables: rows.filter((row) => row.group_number === null).map(largeTable),
    groups: groupsOf(rows),
    largeObjectBatches: batchRuns(batches.rows.map((row) => row.batch)),
  };
}

/** Each is an activity. */
const MOST_BATCH_RUNS = 200;

/** In their order, each as it is while there are few; else as many together as keeps the history of the load short. */
export function batchRuns(batches: number[]): LargeObjectBatches[] {
  const size = Math.ceil(batches.length / MOST_BATCH_RUNS);
  if (size <= 1) return batches;
  const runs: LargeObjectBatches[] = [];
  for (let start = 0; start < batches.length; start += size) {
    const run = batches.slice(start, start + size);
    runs.push([run[0] ?? 0, run.at(-1) ?? 0]);
  }
  return runs;
}

async function tablesLeft(
  client: Client,
  { checksums, tableOid, group }: LeftOptions & { group?: number },
): Promise<LoadRow[]> {
  const { rows } = await client.query<LoadRow>(TABLES_LEFT, [checksums, tableOid, group]);
  return rows;
}

/** Offline: everything was copied under one snapshot, which is needed no more. */
export async function isLoadComplete(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM flexlift.scope WHERE table_oid IS NULL AND group_number IS NULL AND state = 'complete'`,
  );
  return rowCount !== 0;
}

/** Offline: no index of it is left to build either. */
export async function isLoadBuilt(client: Client): Promise<boolean> {
  const { rowCount } = await client.query(
    `SELECT FROM flexlift.table_load WHERE table_oid IN (SELECT e.table_oid ${UNBUILT}) LIMIT 1`,
  );
  return rowCount === 0 && (await isLoadComplete(client));
}

function largeTable(row: LoadRow): LoadPlan['largeTables'][number] {
  return {
    oid: row.table_oid,
    name: quoteQualified(row.schema_name, row.table_name),
    bytes: Number(row.estimated_bytes),
    parts: row.parts_left,
    checksum: row.checksum_left,
    indexes: row.indexes_left,
  };
}

function groupsOf(rows: LoadRow[]): LoadPlan['groups'] {
  const groups = new Map<number, LoadPlan['groups'][number]>();
  for (const row of rows) {
    if (row.group_number === null) continue;
    const group = groups.get(row.group_number) ?? { number: row.group_number, tables: 0, bytes: 0 };
    group.tables += 1;
    group.bytes += Number(row.estimated_bytes);
    groups.set(row.group_number, group);
  }
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
}

/** The tables of a group that are not finished, largest first. */
export async function unfinishedTablesOfGroup(
  client: Client,
  group: number,
  options: LeftOptions,
): Promise<(SizedTable & { copied: boolean; checksum: boolean })[]> {
  const rows = await tablesLeft(client, { ...options, group });
  return rows.map((row) => ({
    ...tableOf(row),
    copied: row.parts_left.length === 0,
    checksum: row.checksum_left,
  }));
}

export async function tableLoad(client: Client, oid: number): Promise<SizedTable> {
  const { rows } = await client.query<TableRow>(
    `SELECT ${TABLE_COLUMNS} FROM flexlift.table_load WHERE table_oid = $1`,
    [oid],
  );
  const [row] = rows;
  if (row === undefined) throw new Error(`the ledger knows no table with oid ${oid}`);
  return tableOf(row);
}

/** In no order. @param oids absent: all of them */
export async function tableLoads(client: Client, oids?: number[]): Promise<SizedTable[]> {
  const { rows } = await client.query<TableRow>(
    `SELECT ${TABLE_COLUMNS} FROM flexlift.table_load WHERE $1::oid[] IS NULL OR table_oid = ANY ($1)`,
    [oids],
  );
  return rows.map(tableOf);
}

function tableOf(row: TableRow): SizedTable {
  const { table_oid: oid, schema_name: schema, table_name: name } = row;
  const bytes = Number(row.estimated_bytes);
  return { oid, schema, name, bytes, condition: rowCondition(row.copy_condition) };
}

/**
 * Of `pg_extension.extcondition` what follows its WHERE; an extension may register a table without a condition, which it
 * writes as an empty one.
 */
export function rowCondition(extensionCondition: string | null | undefined): string | undefined {
  return extensionCondition?.replace(/^\s*WHERE\b/i, '').trim() || undefined;
}

/** One line for each table; the largest first. */
export async function tableReports(client: Client): Promise<TableReport[]> {
  const { rows } = await client.query<
    Record<'schema_name' | 'table_name' | 'rows' | 'bytes', string> & {
      seconds: number;
      parts: number;
      copies: number;
      source_checksum: string | null;
      target_checksum: string | null;
      equal: boolean | null;
    }
  >(`
    SELECT t.schema_name, t.table_name, COALESCE(pg_catalog.sum(p.rows), 0) AS rows,
           COALESCE(pg_catalog.sum(p.bytes), 0) AS bytes, COALESCE(pg_catalog.sum(p.seconds), 0) AS seconds,
           pg_catalog.count(*)::int AS parts, pg_catalog.sum(p.copies)::int AS copies, t.source_checksum, t.target_checksum,
           (t.source_checksum = t.target_checksum AND t.source_rows = t.target_rows) AS equal
      FROM flexlift.table_load t JOIN flexlift.part p USING (table_oid)
     GROUP BY t.table_oid
     ORDER BY 4 DESC, 1, 2`);
  return rows.map((row) => ({
    table: quoteQualified(row.schema_name, row.table_name),
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    seconds: Math.round(row.seconds * 1000) / 1000,
    parts: row.parts,
    copies: row.copies,
    sourceChecksum: row.source_checksum ?? undefined,
    targetChecksum: row.target_checksum ?? undefined,
    equal: row.equal ?? undefined,
  }));
}

/** Tables of one comparison: each large table alone, small ones by their groups. */
export async function compareBatches(client: Client): Promise<ComparePlan['batches']> {
  const { rows } = await client.query<{ oids: number[]; name: string }>(`
    SELECT pg_catalog.array_agg(table_oid ORDER BY table_oid) AS oids,
           pg_catalog.min(pg_catalog.format('%I.%I', schema_name, table_name)) AS name
      FROM flexlift.table_load
     GROUP BY group_number, CASE WHEN group_number IS NULL THEN table_oid END
     ORDER BY pg_catalog.sum(estimated_bytes) DESC`);
  return rows.map(({ oids, name }) => ({
    summary: oids.length === 1 ? `compare ${name}` : `compare ${oids.length} small tables`,
    tableOids: oids,
  }));
}
