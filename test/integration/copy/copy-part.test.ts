import { readSequences } from '../../../postgres/compare';
import { copyPart } from '../../../postgres/copy';
import { withLedger } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import { identity, never, Pair, tableNamed } from './fixture';

let pair: Pair;

beforeEach(async () => {
  pair = await Pair.create(14, 17);
});

afterEach(() => pair.drop());

interface LedgerPart {
  rows: string;
  copies: number;
  copied: boolean;
  copied_by: string | null;
}

async function ledgerParts(name: string): Promise<LedgerPart[]> {
  return await pair.sql<LedgerPart>(
    'target',
    `SELECT rows, copies, copied_at IS NOT NULL AS copied, copied_by
       FROM flexlift.part JOIN flexlift.table_load USING (table_oid) WHERE table_name = $1 ORDER BY part`,
    [name],
  );
}

async function expectEqual(table: string, columns = 't::text'): Promise<void> {
  const { source, target } = await pair.results(`SELECT ${columns} AS row FROM ONLY ${table} t ORDER BY 1`);
  expect(target).toEqual(source);
}

test('names with quotes, capitals, dots, newlines and emoji', async () => {
  const ddl = `CREATE SCHEMA "Sp1eCial .""Char"; CREATE TABLE "Sp1eCial .""Char"."T 😀\n.""a\\b" ("nA M.e" int, "x""\n;--" text, "select" int)`;
  await pair.both(ddl);
  await pair.sql(
    'source',
    `INSERT INTO "Sp1eCial .""Char"."T 😀\n.""a\\b" VALUES (1, 'one', 2), (NULL, NULL, NULL)`,
  );
  await pair.copyAll();
  await expectEqual(`"Sp1eCial .""Char"."T 😀\n.""a\\b"`);
});

test('tables without columns, without rows, and with a generated column only keep their row counts', async () => {
  await pair.both(`
    CREATE TABLE no_columns ();
    CREATE TABLE no_rows (a int);
    CREATE TABLE only_generated (g int GENERATED ALWAYS AS (1 + 1) STORED);
    CREATE TABLE dropped_all (a int); ALTER TABLE dropped_all DROP COLUMN a;`);
  await pair.sql(
    'source',
    `INSERT INTO no_columns SELECT FROM generate_series(1, 7);
     INSERT INTO only_generated SELECT FROM generate_series(1, 3);
     INSERT INTO dropped_all SELECT FROM generate_series(1, 2)`,
  );
  await pair.copyAll();
  const counts = `SELECT (SELECT count(*) FROM public.no_columns) AS a, (SELECT count(*) FROM public.no_rows) AS b,
                         (SELECT count(g) FROM public.only_generated) AS c, (SELECT count(*) FROM public.dropped_all) AS d`;
  const { target } = await pair.results(counts);
  expect(target).toEqual([{ a: '7', b: '0', c: '3', d: '2' }]);
});

test('1,600 columns', async () => {
  const columns = Array.from({ length: 1600 }, (_, index) => `"column ${index}" int2`);
  await pair.both(`CREATE TABLE wide (${columns.join(', ')})`);
  await pair.sql('source', `INSERT INTO wide VALUES (${columns.map((_, index) => index).join(', ')})`);
  await pair.copyAll();
  await expectEqual('public.wide');
});

test('identity, generated, dropped and reordered columns', async () => {
  await pair.sql(
    'source',
    'CREATE TABLE t (gone int, id int GENERATED ALWAYS AS IDENTITY, v text, twice int GENERATED ALWAYS AS (id * 2) STORED)',
  );
  await pair.sql(
    'source',
    `INSERT INTO t (gone, v) SELECT g, 'v' || g FROM generate_series(1, 100) g; ALTER TABLE t DROP COLUMN gone`,
  );
  await pair.sql(
    'target',
    'CREATE TABLE t (v text, twice int GENERATED ALWAYS AS (id * 2) STORED, id int GENERATED ALWAYS AS IDENTITY)',
  );
  await pair.copyAll();
  await expectEqual('public.t', 'ROW(id, v, twice)::text');
});

test('a default that jsonb refuses is no matter', async () => {
  await pair.sql('source', `CREATE TABLE t (id int); INSERT INTO t VALUES (1)`);
  await pair.sql('source', `ALTER TABLE t ADD j json DEFAULT '{"a": "\\u0000"}'`);
  await pair.sql('target', 'CREATE TABLE t (id int, j json)');
  await pair.copyAll();
  await expectEqual('public.t', 'ROW(id, j)::text');
});

test('partitions, inheritance children and unlogged tables are each copied once', async () => {
  await pair.both(`
    CREATE TABLE parent (id int, v text);
    CREATE TABLE child (extra int) INHERITS (parent);
    CREATE UNLOGGED TABLE unlogged (id int);
    CREATE TABLE root (id int) PARTITION BY RANGE (id);
    CREATE TABLE p1 PARTITION OF root FOR VALUES FROM (0) TO (10);
    CREATE TABLE pd PARTITION OF root DEFAULT`);
  await pair.sql(
    'source',
    `INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c', 3); INSERT INTO unlogged VALUES (1);
     INSERT INTO root SELECT generate_series(0, 20)`,
  );
  const tables = await pair.copyAll();
  expect(tables.map((table) => table.name).sort()).toEqual(['child', 'p1', 'parent', 'pd', 'unlogged']);
  for (const table of ['parent', 'child', 'unlogged', 'p1', 'pd']) await expectEqual(`public.${table}`);
});

test('a whole table arrives frozen', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.sql('source', 'INSERT INTO t SELECT generate_series(1, 10000)');
  await pair.copyAll();
  await pair.sql('target', 'CREATE EXTENSION pg_visibility');
  const rows = await pair.sql('target', `SELECT all_frozen FROM pg_visibility_map_summary('t')`);
  expect(rows).toEqual([{ all_frozen: '45' }]);
});

test('a table split by ctid: every row once, those of the last page and after the plan included', async () => {
  await pair.both('CREATE TABLE t (id int, v text)');
  await pair.sql('source', `INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(1, 5000) g`);
  const [table] = await pair.copyAll({ partBytes: 600_000, groupBytes: 100_000 });
  expect(table?.parts.length).toBeGreaterThanOrEqual(4);
  expect(table?.group).toBeUndefined();
  await expectEqual('public.t');
  const parts = await ledgerParts('t');
  expect(parts.reduce((sum, part) => sum + Number(part.rows), 0)).toBe(5000);
  expect(Math.min(...parts.map((part) => Number(part.rows)))).toBeGreaterThan(500);
});

test('a part is copied once, whoever asks and how often', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.sql('source', 'INSERT INTO t SELECT generate_series(1, 1000)');
  await pair.withScope(async (scope) => {
    const table = tableNamed(await pair.plan(scope), 't');
    const results = await Promise.all([1, 2, 3].map(() => pair.copyPart(scope, table, 1)));
    expect(results.map((result) => result.alreadyDone).sort()).toEqual([false, true, true]);
    expect(results.map((result) => result.rows)).toEqual([1000, 1000, 1000]);
  });
  expect(await ledgerParts('t')).toEqual([
    { rows: '1000', copies: 1, copied: true, copied_by: 'flexlift:0123456789ab:copyPart:test:1' },
  ]);
  await expectEqual('public.t');
});

test('a writer killed in the middle of a part leaves nothing, and the next attempt copies it once', async () => {
  await pair.both('CREATE TABLE t (id int, v text)');
  await pair.sql('source', `INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g`);
  await pair.withScope(async (scope) => {
    const table = tableNamed(await pair.plan(scope, { partBytes: 40_000_000, groupBytes: 1_000_000 }), 't');
    expect(table.parts).toHaveLength(3);
    await pair.copyPart(scope, table, 1);
    await pair.withSessions(scope, async (source, target) => {
      const { rows } = await target.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      let killed = false;
      const onProgress = () => {
        if (!killed) void pair.sql('target', 'SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
        killed = true;
      };
      const copying = copyPart({
        source,
        target,
        identity,
        scope: scope.scope,
        table,
        part: 2,
        signal: never,
        onProgress,
      });
      await expect(copying).rejects.toMatchObject({ fields: { side: 'target', object: '"public"."t"' } });
    });
    expect((await ledgerParts('t')).map((part) => part.copied)).toEqual([true, false, false]);
    await pair.copyPart(scope, table, 3);
    await pair.copyPart(scope, table, 2);
  });
  expect((await ledgerParts('t')).map((part) => part.copies)).toEqual([1, 1, 1]);
  const { source, target } = await pair.results('SELECT count(*), count(DISTINCT id) AS ids FROM public.t');
  expect(target).toEqual(source);
});

test('a scope that was given up takes no part any more', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.withScope(async (scope) => {
    const table = tableNamed(await pair.plan(scope), 't');
    await pair.sql('target', `UPDATE flexlift.scope SET state = 'dead'`);
    await expect(pair.copyPart(scope, table, 1)).rejects.toMatchObject({ code: 'SnapshotLost' });
  });
  expect((await ledgerParts('t'))[0]?.copied).toBe(false);
});

test('a part that is being copied holds its scope open', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.withScope(async (scope) => {
    await pair.plan(scope);
    const blocked = pair.session('target', (client) =>
      withLedger(client, identity, async () => {
        await client.query('SELECT FROM flexlift.scope WHERE scope = $1 FOR SHARE', [scope.scope]);
        await client.query('SELECT pg_sleep(0.5)');
      }),
    );
    await eventually('the lock', async () => {
      const rows = await pair.sql(
        'target',
        `SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(0.5)%' AND pid <> pg_backend_pid()`,
      );
      return rows.length > 0;
    });
    const started = Date.now();
    await pair.sql('target', `UPDATE flexlift.scope SET state = 'dead'`);
    expect(Date.now() - started).toBeGreaterThan(100);
    await blocked;
  });
});

test('a column or a table that the target lacks is named', async () => {
  await pair.sql('source', 'CREATE TABLE t (a int, "b c" int); CREATE TABLE u (a int)');
  await pair.sql('target', 'CREATE TABLE t (a int)');
  await pair.withScope(async (scope) => {
    const tables = await pair.plan(scope);
    const column = pair.copyPart(scope, tableNamed(tables, 't'), 1);
    await expect(column).rejects.toThrow(/no column "b c" to write.*"public"\."t"/);
    await expect(pair.copyPart(scope, tableNamed(tables, 'u'), 1)).rejects.toMatchObject({
      code: 'SchemaDrift',
      fields: { side: 'target', object: '"public"."u"' },
    });
  });
});

test('a policy that would hide rows is an error', async () => {
  await pair.both('CREATE TABLE t (a int)');
  const role = pair.databases.source;
  await pair.sql(
    'source',
    `INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE ROLE ${role}; GRANT SELECT ON t TO ${role}`,
  );
  try {
    await pair.withScope(async (scope) => {
      const table = tableNamed(await pair.plan(scope), 't');
      await pair.withSessions(scope, async (source, target) => {
        await source.query(`SET LOCAL ROLE ${role}`);
        const copying = copyPart({
          source,
          target,
          identity,
          scope: scope.scope,
          table,
          part: 1,
          signal: never,
        });
        await expect(copying).rejects.toMatchObject({ fields: { side: 'source', code: 'PermissionDenied' } });
      });
    });
  } finally {
    await pair.sql('source', `DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

test("an extension's configuration table: the user's rows replace those that match its condition", async () => {
  await pair.both(
    'CREATE EXTENSION hstore; CREATE TABLE plain (a int); CREATE TABLE conf (name text, standard boolean)',
  );
  const register = `
    INSERT INTO conf VALUES ('theirs', true);
    ALTER EXTENSION hstore ADD TABLE conf;
    UPDATE pg_extension SET extconfig = ARRAY['conf'::regclass::oid], extcondition = ARRAY['WHERE NOT standard']
     WHERE extname = 'hstore'`;
  await pair.both(register);
  await pair.both('CREATE TABLE member (a int); ALTER EXTENSION hstore ADD TABLE member');
  await pair.sql('source', `INSERT INTO conf VALUES ('ours', false)`);
  await pair.sql('target', `INSERT INTO conf VALUES ('old', false)`);
  const tables = await pair.copyAll();
  expect(tables.map((table) => table.name).sort()).toEqual(['conf', 'plain']);
  const { target } = await pair.results('SELECT name FROM public.conf ORDER BY 1');
  expect(target).toEqual([{ name: 'ours' }, { name: 'theirs' }]);
});

test('configuration tables that refer to each other come in any order, and none takes the rows of another along', async () => {
  await pair.both(`
    CREATE EXTENSION hstore; CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE, note text);
    ALTER EXTENSION hstore ADD TABLE parent; ALTER EXTENSION hstore ADD TABLE child;
    UPDATE pg_extension SET extconfig = ARRAY['parent'::regclass::oid, 'child'::regclass::oid], extcondition = '{"",""}'
     WHERE extname = 'hstore'`);
  await pair.sql(
    'source',
    `INSERT INTO parent VALUES (1); INSERT INTO child SELECT g, 1, repeat('x', 100) FROM generate_series(1, 1000) g`,
  );
  const tables = await pair.copyAll();
  expect(tables.map((table) => table.name)).toEqual(['child', 'parent']);
  const { source, target } = await pair.results(
    'SELECT count(*) FROM public.child JOIN public.parent p ON p.id = parent',
  );
  expect(target).toEqual(source);
});

test('jobs of pg_cron stay where they are', async () => {
  await pair.both(`
    CREATE EXTENSION hstore; CREATE SCHEMA cron; CREATE TABLE cron.job (a int); CREATE SEQUENCE cron.jobid_seq;
    ALTER EXTENSION hstore ADD TABLE cron.job; ALTER EXTENSION hstore ADD SEQUENCE cron.jobid_seq;
    UPDATE pg_extension SET extname = 'pg_cron', extcondition = '{"",""}',
           extconfig = ARRAY['cron.job'::regclass::oid, 'cron.jobid_seq'::regclass::oid] WHERE extname = 'hstore'`);
  await pair.sql('source', 'INSERT INTO cron.job VALUES (1)');
  expect(await pair.copyAll()).toEqual([]);
  expect(await pair.session('source', (client) => readSequences(client, never))).toEqual([]);
});

test('a plan is stored once', async () => {
  await pair.both('CREATE TABLE t (id int)');
  await pair.withScope(async (scope) => {
    await pair.plan(scope);
    await pair.sql('source', 'CREATE TABLE later (id int)');
    await pair.plan(scope);
  });
  const tables = await pair.sql('target', 'SELECT table_name FROM flexlift.table_load');
  expect(tables).toEqual([{ table_name: 't' }]);
  expect(await pair.sql('target', 'SELECT batch FROM flexlift.large_object_batch')).toEqual([{ batch: 1 }]);
});
