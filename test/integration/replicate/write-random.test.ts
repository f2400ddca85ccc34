import * as fc from 'fast-check';
import { TEST_ALL } from '../../support/all';
import type { Major } from '../../support/servers';
import { WritePair } from './write-fixture';

/** A key's type and how a small number becomes a value of it: collisions are what the test is about. */
const KEY_TYPES: Record<string, (n: string) => string> = {
  int: (n) => n,
  text: (n) => `'k"\\,' || ${n}`,
  // equal for the index, and another text
  numeric: (n) => `(${n}::numeric + ('0.' || repeat('0', (random() * 3)::int + 1))::numeric)`,
  'x.citext': (n) => `(CASE WHEN random() < 0.5 THEN 'a' ELSE 'A' END || ${n})`,
  float8: (n) => `(CASE WHEN ${n} = 0 AND random() < 0.5 THEN '-0' ELSE ${n}::text END)::float8`,
  'int[]': (n) => `ARRAY[${n}, NULL]`,
  date: (n) => `'2024-01-01'::date + ${n}`,
};

interface TableShape {
  key: (keyof typeof KEY_TYPES)[];
  identity: 'primary key' | 'index' | 'full' | 'append';
  unique: 'none' | 'immediate' | 'deferrable';
  hasIndex: boolean;
}

const tableShape: fc.Arbitrary<TableShape> = fc.record({
  key: fc.uniqueArray(fc.constantFrom(...Object.keys(KEY_TYPES)), { minLength: 1, maxLength: 3 }),
  identity: fc.constantFrom('primary key', 'primary key', 'index', 'full', 'append'),
  unique: fc.constantFrom('none', 'immediate', 'immediate', 'deferrable'),
  hasIndex: fc.boolean(),
});

/** A statement of table `t`, with numbers that stand for keys, unique values and contents. */
const ACTIONS: Record<string, (t: number, shape: TableShape, n: number, m: number) => string> = {
  insert: (t, shape, n, m) => `INSERT INTO t${t} VALUES (${row(shape, n, m)})`,
  insertMany: (t, shape, n, m) =>
    `INSERT INTO t${t} SELECT ${row(shape, 'g', m, 'NULL')} FROM generate_series(${n}, ${n + 3}) g ON CONFLICT DO NOTHING`,
  update: (t, shape, n, m) => `UPDATE t${t} SET v = ${text(m)} WHERE ${where(shape, n)}`,
  updateSmall: (t, shape, n, m) => `UPDATE t${t} SET n = ${m} WHERE ${where(shape, n)}`,
  updateAll: (t) => `UPDATE t${t} SET n = n + 1, f = 'NaN'`,
  moveKey: (t, shape, n, m) => `UPDATE t${t} SET ${moved(shape, m)} WHERE ${where(shape, n)}`,
  swapKeys: (t, shape, n, m) =>
    [
      `UPDATE t${t} SET ${moved(shape, 99)} WHERE ${where(shape, n)}`,
      `UPDATE t${t} SET ${moved(shape, n)} WHERE ${where(shape, m)}`,
      `UPDATE t${t} SET ${moved(shape, m)} WHERE ${where(shape, 99)}`,
    ].join(';'),
  // the receiver is touched first
  handOver: (t, shape, n, m) =>
    [
      `UPDATE t${t} SET n = n + 1 WHERE ${where(shape, n)}`,
      `UPDATE t${t} SET u = NULL WHERE u = ${m}`,
      `UPDATE t${t} SET u = ${m} WHERE ${where(shape, n)}`,
    ].join(';'),
  shiftUnique: (t) => `UPDATE t${t} SET u = u + 1`,
  delete: (t, shape, n) => `DELETE FROM t${t} WHERE ${where(shape, n)}`,
  replace: (t, shape, n, m) =>
    `DELETE FROM t${t} WHERE ${where(shape, n)}; INSERT INTO t${t} VALUES (${row(shape, n, m)})`,
  deleteAll: (t) => `DELETE FROM t${t}`,
  truncate: (t) => `TRUNCATE t${t}`,
  truncateBoth: () => 'TRUNCATE t0, t1',
};
const OF_APPEND = ['insert', 'insertMany', 'truncate', 'truncateBoth'];

function text(m: number): string {
  // past 2 kB it goes to TOAST, incompressible as it is
  return m % 2 === 0
    ? `'t' || ${m}`
    : `(SELECT string_agg(md5(${m}::text || g), '') FROM generate_series(1, 100) g)`;
}

function row(shape: TableShape, n: number | string, m: number, unique: number | string = m): string {
  return `${keyOf(shape, String(n)).join(', ')}, ${unique}, ${m}, ${text(m)}, '0.1', ARRAY[${m}, NULL], ROW(${m}, 'x')`;
}

const keyOf = (shape: TableShape, n: string) => shape.key.map((type) => KEY_TYPES[type]?.(n) ?? n);
const where = (shape: TableShape, n: number) =>
  keyOf(shape, String(n))
    .map((value, at) =>
      shape.key[at] === 'x.citext' ? `k${at} OPERATOR(x.=) ${value}::x.citext` : `k${at} = ${value}`,
    )
    .join(' AND ');
const moved = (shape: TableShape, n: number) =>
  keyOf(shape, String(n))
    .map((value, at) => `k${at} = ${value}`)
    .join(', ');

function ddl(shape: TableShape, t: number, onTarget: boolean): string {
  const columns = [
    ...shape.key.map((type, at) => `k${at} ${type} NOT NULL`),
    'u int',
    'n int',
    'v text',
    'f float8',
    'a int[]',
    'c x.pair',
    ...(onTarget ? ['g int GENERATED ALWAYS AS (n * 2) STORED'] : []),
  ];
  const keys = shape.key.map((_, at) => `k${at}`).join(', ');
  return [
    `CREATE TABLE public.t${t} (${(onTarget ? columns.reverse() : columns).join(', ')})`,
    `ALTER TABLE public.t${t} ALTER v SET STORAGE EXTERNAL`,
    ...(shape.identity === 'primary key' ? [`ALTER TABLE public.t${t} ADD PRIMARY KEY (${keys})`] : []),
    ...(shape.identity === 'index' || (shape.identity === 'full' && shape.hasIndex)
      ? [`CREATE UNIQUE INDEX i${t} ON public.t${t} (${keys})`]
      : []),
    ...(shape.identity === 'index' ? [`ALTER TABLE public.t${t} REPLICA IDENTITY USING INDEX i${t}`] : []),
    ...(shape.identity === 'full' ? [`ALTER TABLE public.t${t} REPLICA IDENTITY FULL`] : []),
    ...(shape.unique === 'none'
      ? []
      : [`ALTER TABLE public.t${t} ADD UNIQUE (u) ${shape.unique === 'deferrable' ? 'DEFERRABLE' : ''}`]),
  ].join(';');
}

const small = fc.integer({ min: 0, max: 4 });
const action = fc.record({
  table: fc.integer({ min: 0, max: 1 }),
  action: fc.oneof(
    fc.constantFrom(...Object.keys(ACTIONS)),
    fc.constantFrom('insert', 'insertMany', 'update', 'updateSmall'),
    fc.constant('handOver'),
  ),
  n: small,
  m: small,
});
const workload = fc.record({
  shapes: fc.tuple(tableShape, tableShape),
  /** Rounds of transactions of statements; after each the target catches up. */
  rounds: fc.array(
    fc.array(fc.array(action, { minLength: 1, maxLength: 6 }), { minLength: 4, maxLength: 12 }),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  pieceSize: fc.constantFrom(1, 7, 1000, 1000),
});

const RUNS = TEST_ALL ? 200 : 12;

const PAIRS: [Major, Major][] = [
  [14, 17],
  [17, 15],
];

test.each(PAIRS)('random changes leave the target equal, %i to %i', async (source, target) => {
  let [changes, rows] = [0, 0];
  await WritePair.with([source, target], async (pair) => {
    await pair.both(
      'CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; CREATE TYPE x.pair AS (n int, t text)',
    );
    const property = fc.asyncProperty(workload, async ({ shapes, rounds, pieceSize }) => {
      await pair.both('DROP TABLE IF EXISTS public.t0, public.t1');
      pair.identities = {};
      for (const [t, shape] of shapes.entries()) {
        await pair.source.query(ddl(shape, t, false));
        await pair.onTarget(ddl(shape, t, true));
        if (shape.identity === 'append') pair.identities[`t${t}`] = 'append';
      }
      await pair.begin();
      for (const transactions of rounds) {
        for (const statements of transactions) await tryAll(pair, shapes, statements);
        const written = await pair.catchUp(pieceSize);
        changes += written.reduce((sum, each) => sum + each.inserts + each.updates + each.deletes, 0);
        rows += await pair.expectEqual();
      }
    });
    await fc.assert(property, { numRuns: RUNS });
  });
  expect(changes).toBeGreaterThan(RUNS);
  expect(rows).toBeGreaterThan(0);
});

/** One transaction; a statement that fails is undone alone. */
async function tryAll(
  pair: WritePair,
  shapes: TableShape[],
  statements: { table: number; action: string; n: number; m: number }[],
): Promise<void> {
  await pair.source.query('BEGIN; SET CONSTRAINTS ALL DEFERRED');
  for (const { table, action: name, n, m } of statements) {
    const shape = shapes[table];
    if (shape === undefined || (shape.identity === 'append' && !OF_APPEND.includes(name))) continue;
    await pair.source.query('SAVEPOINT s');
    await pair.source
      .query(ACTIONS[name]?.(table, shape, n, m) ?? '')
      .catch(() => pair.source.query('ROLLBACK TO s'));
  }
  await pair.source.query('COMMIT').catch(() => pair.source.query('ROLLBACK'));
}
