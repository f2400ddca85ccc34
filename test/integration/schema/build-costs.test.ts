import type { Client } from 'pg';
import type { LoadPlan } from '../../../contract';
import { withConnection } from '../../../postgres/connect';
import { costliestFirst } from '../../../postgres/schema';
import { testEndpoint, type Major } from '../../support/servers';
import { NEVER, withPreData } from './schema-steps';

const ORDERS = [
  'CREATE SCHEMA "Sales 1"',
  'SET search_path = "Sales 1", public',
  `CREATE TABLE orders (id int PRIMARY KEY, customer int, at timestamptz, total numeric, note text)`,
  `CREATE INDEX a_few ON orders (id) WHERE id < 5`,
  `CREATE INDEX in_order ON orders (at)`,
  `CREATE INDEX of_expression ON orders ((note || 'x'))`,
  `CREATE UNIQUE INDEX wide ON orders (note, id)`,
  `CREATE INDEX with_equals ON orders (customer)`,
  `ALTER TABLE orders ADD EXCLUDE USING gist (int4range(id, id + 1) WITH &&)`,
  `INSERT INTO orders SELECT g, g * 7919 % 100, '2026-01-01 00:00Z'::timestamptz + g * interval '1 s', g % 1000 / 100.0, md5(g::text)
     FROM generate_series(1, 20000) g`,
  `CREATE TABLE small (id int PRIMARY KEY, v int UNIQUE)`,
  `INSERT INTO small SELECT g, -g FROM generate_series(1, 50) g`,
  'VACUUM ANALYZE',
];

/** One with all indexes of each table, in the archive's order. */
async function planOf(target: Client): Promise<LoadPlan> {
  const { rows } = await target.query<LoadPlan['largeTables'][number]>(`
    SELECT table_oid AS oid, min(object) AS name, 0 AS bytes, '{}'::int[] AS parts, false AS checksum,
           jsonb_agg(jsonb_build_object('dumpId', dump_id, 'name', object, 'locksTable', description <> 'INDEX')
                     ORDER BY position) AS indexes
      FROM flexlift.archive_entry WHERE phase = 'table' GROUP BY table_oid ORDER BY table_oid`);
  const amounts = { tables: 0, rows: 0, bytes: 0 };
  return { planned: amounts, copied: amounts, largeTables: rows, groups: [], largeObjectBatches: [] };
}

test.each<[Major, Major]>([
  [11, 15],
  [15, 18],
])('indexes of %i are planned for %i in the order of what they cost', async (...majors) => {
  await withPreData(majors, ORDERS, async (move, target) => {
    const plan = await planOf(target);
    const ordered = await withConnection(
      testEndpoint(move.source.major, 'source'),
      move.source.database,
      NEVER,
      (source) => costliestFirst({ source, target }, plan),
    );
    const [orders, small] = ordered.largeTables;
    const names = orders?.indexes.map(({ name }) => /[a-z0-9_]+(?="$)/.exec(name)?.[0]);
    // the first two sort and write the same rows: which of them comes first does not matter
    expect(names?.slice(0, 2).sort()).toEqual(['of_expression', 'wide']);
    // those of equal cost stay in the archive's order
    const others = ['orders_int4range_excl', 'with_equals', 'orders_pkey', 'in_order', 'a_few'];
    expect(names?.slice(2)).toEqual(others);
    expect(orders?.indexes.map(({ dumpId }) => dumpId).sort()).toEqual(
      plan.largeTables[0]?.indexes.map(({ dumpId }) => dumpId).sort(),
    );
    expect(orders?.indexes.at(-1)).toMatchObject({ cost: 0, locksTable: false });
    expect(small?.indexes.map(({ name }) => name)).toEqual(
      plan.largeTables[1]?.indexes.map(({ name }) => name),
    );
    expect(ordered).toMatchObject({ planned: plan.planned, groups: [] });
  });
});
