import { keyRanges } from '../../../postgres/copy/part-ranges';
import { Pair, tableNamed } from './fixture';

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.create(11, 15);
});

afterAll(() => pair.drop());

const SPLIT = { partBytes: 100_000, groupBytes: 10_000 };

/** Below 14 a range of ctids is a full scan: ranges of a key there. */
test('keys with outliers, negative keys and text keys are split evenly; every row once', async () => {
  await pair.both(`
    CREATE TABLE outlier (id bigint PRIMARY KEY, v text);
    CREATE TABLE negative (id int PRIMARY KEY, v text);
    CREATE TABLE words (w text COLLATE "de-x-icu" PRIMARY KEY, v text);
    CREATE TABLE padded (c char(12) UNIQUE NOT NULL, v text);
    CREATE TABLE uuids (u uuid PRIMARY KEY, v text);
    CREATE TABLE nullable (n int UNIQUE, v text);
    CREATE TABLE keyless (n int, v text)`);
  await pair.sql(
    'source',
    `INSERT INTO outlier SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g;
     INSERT INTO outlier VALUES (9223372036854775807, 'far'), (-9223372036854775808, 'away');
     INSERT INTO negative SELECT g, repeat('x', 100) FROM generate_series(-2500, 2499) g;
     INSERT INTO words SELECT CASE g % 3 WHEN 0 THEN 'ä' WHEN 1 THEN 'Z' ELSE 'a''\\' END || g, repeat('x', 100)
       FROM generate_series(1, 5000) g;
     INSERT INTO padded SELECT 'k' || g, repeat('x', 100) FROM generate_series(1, 5000) g;
     INSERT INTO uuids SELECT md5(g::text)::uuid, repeat('x', 100) FROM generate_series(1, 5000) g;
     INSERT INTO nullable SELECT NULLIF(g, 7), repeat('x', 100) FROM generate_series(1, 5000) g;
     INSERT INTO keyless SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g`,
  );
  await pair.sql('source', 'ANALYZE');
  const tables = await pair.copyAll(SPLIT);
  for (const name of ['outlier', 'negative', 'words', 'padded', 'uuids']) {
    const { parts, oid, rangeColumn } = tableNamed(tables, name);
    expect(rangeColumn).toBeDefined();
    expect(parts.length).toBeGreaterThan(4);
    const rows = await pair.sql<{ rows: string }>(
      'target',
      'SELECT rows FROM flexlift.part WHERE table_oid = $1',
      [oid],
    );
    const average = 5000 / parts.length;
    expect(Math.max(...rows.map((row) => Number(row.rows)))).toBeLessThan(2 * average);
  }
  for (const name of ['nullable', 'keyless']) expect(tableNamed(tables, name).parts).toHaveLength(1);
  for (const { name } of tables) {
    const { source, target } = await pair.results(`SELECT t::text AS row FROM public.${name} t ORDER BY 1`);
    expect(target).toEqual(source);
  }
});

test('a generated column is no key to copy by, for it is not copied', async () => {
  await pair.sql(
    'target',
    `CREATE TABLE generated (id int NOT NULL, twice int UNIQUE NOT NULL GENERATED ALWAYS AS (id * 2) STORED);
     INSERT INTO generated SELECT g FROM generate_series(1, 1000) g; ANALYZE generated`,
  );
  const ranges = await pair.session('target', async (client) => {
    const { rows } = await client.query<{ oid: number }>(`SELECT 'public.generated'::regclass::oid AS oid`);
    return await keyRanges(client, { oid: rows[0]?.oid ?? 0, schema: 'public', name: 'generated' }, 4);
  });
  expect(ranges).toEqual({ ranges: [{}] });
  await pair.sql('target', 'DROP TABLE generated');
});

test('without statistics: equal ranges of integers, one part for the rest', async () => {
  const fresh = await Pair.create(11, 15);
  try {
    await fresh.both(`
      CREATE TABLE numbers (id int PRIMARY KEY, v text) WITH (autovacuum_enabled = off);
      CREATE TABLE words (w text PRIMARY KEY, v text) WITH (autovacuum_enabled = off)`);
    await fresh.sql(
      'source',
      `INSERT INTO numbers SELECT g, repeat('x', 100) FROM generate_series(-2500, 2499) g;
       INSERT INTO words SELECT 'w' || g, repeat('x', 100) FROM generate_series(1, 5000) g`,
    );
    const tables = await fresh.copyAll(SPLIT);
    expect(tableNamed(tables, 'numbers').parts.length).toBeGreaterThan(4);
    expect(tableNamed(tables, 'words').parts).toHaveLength(1);
    const { source, target } = await fresh.results('SELECT id FROM public.numbers ORDER BY 1');
    expect(target).toEqual(source);
  } finally {
    await fresh.drop();
  }
});
