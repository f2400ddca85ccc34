import type { Client } from 'pg';
import { isDone, once, type LedgerIdentity } from '../ledger';
import { atSide } from '../connect';
import type { PlannedLoad } from './plan-load';

const STEP = { kind: 'phase', key: 'plan-load' };

export async function isPlanned(target: Client): Promise<boolean> {
  return await isDone(target, STEP);
}

/**
 * Writes the plan into the ledger, once for all keepers of the migration.
 *
 * @returns false where a plan stood there before; that one holds.
 */
export async function storePlan(args: {
  target: Client;
  identity: LedgerIdentity;
  plan: PlannedLoad;
}): Promise<boolean> {
  const { target, identity, plan } = args;
  const insert = async () => {
    await insertTables(target, plan);
    await insertParts(target, plan);
    await insertLargeObjectBatches(target, plan);
  };
  return await atSide('target', target, () => once(target, identity, STEP, insert));
}

async function insertTables(target: Client, { tables }: PlannedLoad): Promise<void> {
  const rows = tables.map((table) => ({
    table_oid: table.oid,
    schema_name: table.schema,
    table_name: table.name,
    estimated_bytes: table.estimatedBytes,
    estimated_rows: table.estimatedRows,
    parts: table.parts.length,
    group_number: table.group,
    range_column: table.rangeColumn,
    copy_condition: table.condition,
    identity: table.identity,
  }));
  await target.query(
    `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts,
                                      group_number, range_column, copy_condition, identity)
     SELECT * FROM pg_catalog.jsonb_to_recordset($1::jsonb)
              AS r(table_oid oid, schema_name text, table_name text, estimated_bytes int8, estimated_rows int8,
                   parts int4, group_number int4, range_column text, copy_condition text, identity text)`,
    [JSON.stringify(rows)],
  );
}

async function insertParts(target: Client, { tables }: PlannedLoad): Promise<void> {
  const rows = tables.flatMap((table) =>
    table.parts.map(({ from, to }, index) => ({
      table_oid: table.oid,
      part: index + 1,
      range_from: from,
      range_to: to,
    })),
  );
  await target.query(
    `INSERT INTO flexlift.part (table_oid, part, range_from, range_to)
     SELECT * FROM pg_catalog.jsonb_to_recordset($1::jsonb)
              AS r(table_oid oid, part int4, range_from text, range_to text)`,
    [JSON.stringify(rows)],
  );
}

async function insertLargeObjectBatches(target: Client, { largeObjects }: PlannedLoad): Promise<void> {
  const rows = largeObjects.map(({ after, upTo }, index) => ({
    batch: index + 1,
    after_oid: after,
    upto_oid: upTo,
  }));
  await target.query(
    `INSERT INTO flexlift.large_object_batch (batch, after_oid, upto_oid)
     SELECT * FROM pg_catalog.jsonb_to_recordset($1::jsonb) AS r(batch int4, after_oid oid, upto_oid oid)`,
    [JSON.stringify(rows)],
  );
}
