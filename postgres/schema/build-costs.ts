import type { Client } from 'pg';
import type { IndexEntry, LoadPlan } from '../../contract';
import { atSide } from '../connect';

/** A smaller index is built in no time, and its table has rarely been analyzed. */
const FEWEST_ROWS = 10_000;

/**
 * Puts the indexes of each large table in the order in which they are best built, the costliest first: else one that takes
 * long may begin last, and is built alone.
 *
 * @param args.source its statistics are asked
 */
export async function costliestFirst(
  { source, target }: { source: Client; target: Client },
  plan: LoadPlan,
): Promise<LoadPlan> {
  const entries = plan.largeTables.flatMap((table) => table.indexes);
  if (entries.length < 2) return plan;
  const objects = await atSide('target', target, () => objectsOf(target, entries));
  const costs = await atSide('source', source, () => buildCosts(source, objects));
  const inOrder = (indexes: IndexEntry[]) =>
    indexes
      .map((entry) => ({ ...entry, cost: costs.get(entry.dumpId) ?? 0 }))
      .sort((a, b) => b.cost - a.cost);
  const largeTables = plan.largeTables.map((table) => ({ ...table, indexes: inOrder(table.indexes) }));
  return { ...plan, largeTables };
}

interface IndexObject {
  dump_id: number;
  /** On the source, of the index or of the constraint that stands on it. */
  catalog_oid: number;
  is_constraint: boolean;
}

async function objectsOf(target: Client, entries: IndexEntry[]): Promise<IndexObject[]> {
  const { rows } = await target.query<IndexObject>(
    `SELECT dump_id, catalog_oid, description <> 'INDEX' AS is_constraint
       FROM flexlift.archive_entry WHERE dump_id = ANY($1)`,
    [entries.map(({ dumpId }) => dumpId)],
  );
  return rows;
}

/**
 * In rows that come in the index's order: one that does not takes three times as long, a page as long as a hundred. Of a
 * table with 12 million rows, in seconds: a key in order 3.6, timestamps in a few runs 5, integers at random 7.5, numeric
 * at random with a second column 11.5. The size alone misleads: equal values are stored once, but each is sorted.
 *
 * @returns by dump id; what is no index, or a small one, is not in it
 */
async function buildCosts(source: Client, objects: IndexObject[]): Promise<Map<number, number>> {
  const { rows } = await source.query<{ dump_id: number; cost: number }>(BUILD_COSTS, [
    objects.map((object) => object.dump_id),
    objects.map((object) => object.catalog_oid),
    objects.map((object) => object.is_constraint),
    FEWEST_ROWS,
  ]);
  return new Map(rows.map(({ dump_id, cost }) => [dump_id, cost]));
}

// one on an expression has no column of its table first: to it, rows come in no order
const BUILD_COSTS = `
  SELECT o.dump_id,
         c.reltuples::pg_catalog.float8 * (3 - 2 * COALESCE(pg_catalog.abs(first_column.correlation), 0)) + 100 * c.relpages AS cost
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int4[]), pg_catalog.unnest($2::pg_catalog.oid[]),
                    pg_catalog.unnest($3::pg_catalog.bool[])) AS o(dump_id, oid, is_constraint)
    JOIN pg_catalog.pg_class c
      ON c.oid = CASE WHEN o.is_constraint
                      THEN (SELECT k.conindid FROM pg_catalog.pg_constraint k WHERE k.oid = o.oid)
                      ELSE o.oid END
    JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
    LEFT JOIN pg_catalog.pg_stats first_column
      ON first_column.schemaname = n.nspname AND first_column.tablename = t.relname
         AND first_column.attname = a.attname AND NOT first_column.inherited
   WHERE c.relkind = 'i' AND c.reltuples >= $4`;
