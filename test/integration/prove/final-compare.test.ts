import type { Client } from 'pg';
import { withConnection } from '../../../postgres/connect';
import { tableReports } from '../../../postgres/ledger';
import { finalCompare, planFinalCompare } from '../../../postgres/prove';
import { definitionMarks } from '../../../postgres/prove/definition-marks';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';
import { prove } from './proof-fixture';

const { signal } = new AbortController();

/** Runs it as the cutover does; says also which tables were read. */
async function compare(fixture: ReplicationFixture, tables?: string[]) {
  const { majors, database, identity } = fixture;
  const read: string[] = [];
  const onProgress = (what: string) => read.push(what);
  const differences = await withConnection(
    testEndpoint(majors.source, 'source'),
    database,
    signal,
    (source) =>
      withConnection(testEndpoint(majors.target, 'target'), database, signal, async (target) => {
        const tableOids: number[] = [];
        if (tables === undefined)
          tableOids.push(...(await planFinalCompare(target)).flatMap((batch) => batch.tableOids));
        for (const table of tables ?? []) tableOids.push(await fixture.oidOf(table));
        return await finalCompare({ source, target, identity, signal, onProgress, tableOids });
      }),
  );
  return { differences, read };
}

/** As if a proof and then the applier had written it down; the keys are taken from the source, as pgoutput sends them. */
async function changedSinceProof(
  fixture: ReplicationFixture,
  table: string,
  keys: string[][] | null,
  rows = 1_000,
) {
  const oid = await fixture.oidOf(table);
  await fixture.target.query(
    `INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum) VALUES ($1, 'FFFF/0', $2, '5')
         ON CONFLICT (table_oid) DO NOTHING`,
    [oid, rows],
  );
  const marks = await definitionMarks(fixture.source, [oid]);
  await fixture.target.query(
    `INSERT INTO flexlift.step (kind, key, detail) VALUES ('proven', $1, $2) ON CONFLICT (kind, key) DO NOTHING`,
    [String(oid), JSON.stringify(marks.get(oid))],
  );
  await fixture.target.query(`INSERT INTO flexlift.changed_rows VALUES ($1, 'FFFF/1', $2)`, [
    oid,
    keys === null ? null : JSON.stringify(keys),
  ]);
}

async function keysOf(
  client: Client,
  table: string,
  columns: string[],
  condition = 'true',
): Promise<string[][]> {
  const texts = columns.map((column) => `concat(${column})`);
  // as a walsender of ours has it
  await client.query('SET extra_float_digits = 3');
  const { rows } = await client.query<{ key: string[] }>(
    `SELECT ARRAY[${texts.join(', ')}]::text[] AS key FROM ${table} WHERE ${condition}`,
  );
  return rows.map(({ key }) => key);
}

describe.each([
  [15, 17],
  [11, 17],
  [14, 11],
] as const)('changed rows by keys of many types, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;
  const KEYS: [name: string, type: string, value: string][] = [
    ['text', 'text', `E'it''s "q" \\\\ {a,b}\\n\\t\\r ' || n || ' 🐘 NULL'`],
    ['empty', 'text', `CASE n WHEN 1 THEN '' WHEN 2 THEN 'NULL' WHEN 3 THEN ' ' ELSE repeat('"', n) END`],
    ['varchar', 'varchar(20)', `repeat(' ', n % 5) || n`],
    ['bpchar', 'char(12)', `'k ' || n`],
    ['name', 'name', `('n' || n)::name`],
    ['character', '"char"', `chr(64 + n)::"char"`],
    ['int2', 'int2', '-n'],
    ['int8', 'int8', `9223372036854775807 - n`],
    ['numeric', 'numeric', `(n || '.' || repeat('0', n % 4) || '10')::numeric`],
    ['float', 'float8', 'n / 3.0'],
    ['bool', 'bool', 'n = 1'],
    ['uuid', 'uuid', `md5(n::text)::uuid`],
    ['date', 'date', `date '4000-01-01 BC' + n`],
    ['stamp', 'timestamptz(3)', `timestamptz '2020-03-29 01:30+00' + n * interval '0.001 s'`],
    ['interval', 'interval', `n * interval '1 month -2 days 3.5 s'`],
    ['bytea', 'bytea', `decode(lpad(to_hex(n), 4, '0') || '5c27', 'hex')`],
    ['inet', 'inet', `('10.0.0.' || n || '/8')::inet`],
    ['bits', 'varbit', `n::bit(9)::varbit`],
    ['jsonb', 'jsonb', `jsonb_build_object('a"', n, 'b', '\\')`],
    ['array', 'text[]', `ARRAY['a,"' || n, NULL, '']`],
    ['range', 'int4range', `int4range(n, n + 2)`],
    ['enum', 'public."Mood"', `(enum_range(NULL::public."Mood"))[n]`],
    ['composite', 'public.pair', `ROW(n, 'x,"' || n)::public.pair`],
    ['domain', 'public.code', `('c' || n)::public.code`],
    ['jsondomain', 'public.doc', `jsonb_build_object('n', n)::public.doc`],
    ['ltree', 'public.ltree', `('Top.n' || n)::public.ltree`],
    ['citext', 'public.citext', `('CaSe' || n)::public.citext`],
    ['sorted', 'text COLLATE public.sorted', `'ö' || n`],
  ];
  const rows = (name: string) => ({ bool: 2, enum: 6 })[name] ?? 40;
  const table = (name: string) => `public."by ${name}"`;

  beforeAll(async () => {
    const tables = KEYS.map(
      ([name, type, value]) => `
        CREATE TABLE ${table(name)} (v int, c0 int, k ${type} PRIMARY KEY, position int, "index" text);
        INSERT INTO ${table(name)} SELECT n, n, ${value}, n, 'x' FROM generate_series(1, ${rows(name)}) n;`,
    );
    fixture = await ReplicationFixture.create(
      source,
      target,
      `CREATE EXTENSION citext SCHEMA public; CREATE EXTENSION ltree SCHEMA public; CREATE TYPE public."Mood" AS ENUM ('a', 'B', 'it''s', '"', E'\\\\', ' ');
       CREATE TYPE public.pair AS (a int, b text); CREATE DOMAIN public.code AS varchar(8) CHECK (VALUE LIKE 'c%');
       CREATE DOMAIN public.doc AS jsonb; CREATE COLLATION public.sorted (locale = 'C'); ${tables.join('')}
       CREATE TABLE public.triple (b uuid, v int, a text, c timestamptz, PRIMARY KEY (c, a, b));
       INSERT INTO public.triple SELECT md5(n::text)::uuid, n, 'a''' || n, timestamptz '2021-01-01' + n * interval '1 s'
         FROM generate_series(1, 40) n`,
    );
    // a cast from text of the user's own must not be asked instead of the type's input function
    await fixture.target.query(
      `CREATE FUNCTION public.wrong(text) RETURNS public."Mood" LANGUAGE sql AS $$ SELECT 'a'::public."Mood" $$;
       CREATE CAST (text AS public."Mood") WITH FUNCTION public.wrong(text)`,
    );
  });
  afterAll(() => fixture.drop());
  beforeEach(() => fixture.target.query('DELETE FROM flexlift.proof; DELETE FROM flexlift.changed_rows'));

  test.each(KEYS.map(([name]) => name))('%s', async (name) => {
    const changed = await keysOf(fixture.source, table(name), ['k']);
    expect(changed).toHaveLength(rows(name));
    await changedSinceProof(fixture, table(name), changed);
    // as a row that came and went since
    const gone = await keysOf(fixture.source, table(name), ['k'], 'v = 1');
    await fixture.source.query(`DELETE FROM ${table(name)} WHERE v = 1`);
    await fixture.target.query(`DELETE FROM ${table(name)} WHERE v = 1`);
    await changedSinceProof(fixture, table(name), gone);
    expect((await compare(fixture, [table(name)])).differences).toEqual([]);
    const [report] = (await tableReports(fixture.target)).filter(
      (each) => each.table === `"public"."by ${name}"`,
    );
    expect(report).toMatchObject({ equal: true });

    await fixture.target.query(`UPDATE ${table(name)} SET c0 = -1 WHERE v = 2`);
    const [key] = await keysOf(fixture.source, table(name), ['k'], 'v = 2');
    expect((await compare(fixture, [table(name)])).differences).toEqual([
      {
        kind: 'checksum',
        object: `"public"."by ${name}"`,
        message: expect.stringMatching(
          /^Of \d+ rows that changed since the table was proven equal, 1 differ\.$/,
        ) as string,
        keys: [`k = ${key?.[0]} (differs)`],
      },
    ]);
    await fixture.target.query(`UPDATE ${table(name)} SET c0 = 2 WHERE v = 2`);
  });

  test('three columns, in the order of the table; rows on one side only', async () => {
    const changed = await keysOf(fixture.source, 'public.triple', ['b', 'a', 'c'], 'v <= 20');
    await changedSinceProof(fixture, 'public.triple', changed);
    expect(await compare(fixture, ['public.triple'])).toEqual({
      differences: [],
      read: ['compare "public"."triple"'],
    });
    await fixture.target.query(
      `DELETE FROM public.triple WHERE v = 3; UPDATE public.triple SET v = 0 WHERE v = 30`,
    );
    await fixture.source.query(`DELETE FROM public.triple WHERE v = 4`);
    const { differences } = await compare(fixture, ['public.triple']);
    expect(differences).toHaveLength(1);
    expect(differences[0]?.keys?.sort()).toEqual([
      `b = a87ff679-a2f3-e71d-9181-a67b7542122c, a = a'4, c = 2021-01-01 00:00:04+00 (only on target)`,
      `b = eccbc87e-4b5c-e2fe-2830-8fd9f2a7baf3, a = a'3, c = 2021-01-01 00:00:03+00 (only on source)`,
    ]);
    const reports = await tableReports(fixture.target);
    expect(reports.find((each) => each.table === '"public"."triple"')).toMatchObject({ equal: false });
  });
});

describe.each([
  [15, 18],
  [11, 17],
  [14, 11],
] as const)('what is read at the cutover, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;
  beforeAll(async () => {
    fixture = await ReplicationFixture.create(
      source,
      target,
      `CREATE TABLE public.kept (id int PRIMARY KEY, v int); INSERT INTO public.kept SELECT n, n FROM generate_series(1, 100) n;
       CREATE TABLE public.few (id int PRIMARY KEY, v int); INSERT INTO public.few SELECT n, n FROM generate_series(1, 30000) n;
       CREATE TABLE public.many (id int PRIMARY KEY, v int); INSERT INTO public.many SELECT n, n FROM generate_series(1, 100) n;
       CREATE TABLE public.unnamed (id int PRIMARY KEY, v int); INSERT INTO public.unnamed SELECT n, n FROM generate_series(1, 100) n;
       CREATE TABLE public.exact (k float8, at timestamptz, v int, PRIMARY KEY (at, k));
       INSERT INTO public.exact SELECT n / 3.0, timestamptz '2020-01-01 00:00:00.000001+00' + n * interval '0.1 us', n
         FROM generate_series(1, 100) n;
       CREATE TABLE public.keyless (v int); INSERT INTO public.keyless SELECT n FROM generate_series(1, 100) n;
       CREATE TABLE public.whole (v int); ALTER TABLE public.whole REPLICA IDENTITY FULL;
       INSERT INTO public.whole SELECT n FROM generate_series(1, 100) n;
       CREATE TABLE public."wide 🐘" (id int PRIMARY KEY, ${Array.from({ length: 1599 }, (_, i) => `c${i} int DEFAULT ${i}`).join(', ')});
       INSERT INTO public."wide 🐘" SELECT n FROM generate_series(1, 100) n`,
    );
  });
  afterAll(() => fixture.drop());

  const TABLES = ['kept', 'few', 'many', 'unnamed', 'exact', 'whole', '"wide 🐘"'].map(
    (name) => `public.${name}`,
  );

  test('is what changed since the proof, and what has none', async () => {
    const applier = fixture.runForever();
    expect(await prove(fixture, TABLES)).toEqual({ proven: 7, differences: [] });
    await fixture.source.query(
      `UPDATE public.exact SET v = 0 WHERE v <= 20; UPDATE public.few SET id = id + 100000 WHERE id <= 3000; UPDATE public.many SET v = 0 WHERE id <= 50;
       INSERT INTO public.keyless VALUES (1); DELETE FROM public.whole WHERE v = 7; UPDATE public."wide 🐘" SET c3 = 0 WHERE id = 5`,
    );
    await fixture.caughtUp();
    await applier.stop();
    await fixture.target.query('UPDATE flexlift.changed_rows SET keys = NULL WHERE table_oid = $1', [
      await fixture.oidOf('public.unnamed'),
    ]);
    expect(await planFinalCompare(fixture.target)).toEqual([
      expect.objectContaining({ summary: 'compare "public"."many"', hasLateRows: false }),
      expect.objectContaining({ summary: 'compare "public"."keyless"', hasLateRows: true }),
      expect.objectContaining({ summary: 'compare "public"."whole"' }),
      expect.objectContaining({ summary: expect.stringContaining('3 tables that changed little') as string }),
      expect.objectContaining({ summary: 'look up 2 proven tables' }),
    ]);
    const { differences, read } = await compare(fixture);
    expect(differences).toEqual([]);
    expect(read.sort()).toEqual(
      ['exact', 'few', 'keyless', 'many', 'whole', 'wide 🐘']
        .map((name) => `compare "public"."${name}"`)
        .sort(),
    );
    const reports = await tableReports(fixture.target);
    expect(reports.map(({ equal }) => equal)).toEqual(Array(8).fill(true));
  });

  test('finds what the applier wrote wrongly, in all of the ways', async () => {
    await fixture.target.query(
      `UPDATE public.exact SET v = 1 WHERE k = 5 / 3.0::float8;
       UPDATE public.few SET v = -1 WHERE id = 100007; INSERT INTO public.few VALUES (9, 9);
       DELETE FROM public.many WHERE id = 1; INSERT INTO public.keyless VALUES (5);
       INSERT INTO public.whole VALUES (7); UPDATE public."wide 🐘" SET c1500 = 0 WHERE id = 5`,
    );
    const { differences } = await compare(fixture);
    const found = Object.fromEntries(differences.map(({ object, keys }) => [object, keys?.sort()]));
    expect(found).toEqual({
      '"public"."few"': ['id = 100007 (differs)', 'id = 9 (only on target)'],
      '"public"."exact"': [
        expect.stringMatching(/^k = 1\.66666666666666\d+, at = 2020-01-01 .* \(differs\)$/),
      ],
      '"public"."many"': ['id = 1 (only on source)'],
      '"public"."keyless"': [expect.stringContaining('ctid')],
      '"public"."whole"': [expect.stringContaining('only on target')],
      '"public"."wide 🐘"': ['id = 5 (differs)'],
    });
    const reports = await tableReports(fixture.target);
    expect(
      reports
        .filter(({ equal }) => equal === true)
        .map((each) => each.table)
        .sort(),
    ).toEqual(['"public"."kept"', '"public"."unnamed"']);
  });

  test('a stopped table and one copied anew since its proof are read whole', async () => {
    await fixture.target.query(
      `UPDATE flexlift.table_load SET stream_state = 'stopped' WHERE table_name = 'kept';
       UPDATE flexlift.table_load SET copy_lsn = 'FFFF/0' WHERE table_name = 'unnamed';
       UPDATE public.kept SET v = 0 WHERE id = 3; UPDATE public.unnamed SET v = 0 WHERE id = 4`,
    );
    const { differences } = await compare(fixture, ['public.kept', 'public.unnamed']);
    expect(differences.map(({ keys }) => keys)).toEqual([['id = 3 (differs)'], ['id = 4 (differs)']]);
  });
});

describe.each([
  [11, 15],
  [15, 17],
  [14, 11],
] as const)('what no stream tells of a proven table is found, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;

  beforeAll(async () => {
    fixture = await ReplicationFixture.create(
      source,
      target,
      ['cast', 'renewed', 'blue', 'green', 'kept']
        .map(
          (name) => `
            CREATE TABLE public."${name}" (id int PRIMARY KEY, v text, flag int DEFAULT 1);
            INSERT INTO public."${name}" SELECT n, '${name} ' || n FROM generate_series(1, 100) n;`,
        )
        .join(''),
    );
    const applier = fixture.run();
    await fixture.caughtUp();
    const round = await prove(
      fixture,
      ['cast', 'renewed', 'blue', 'green', 'kept'].map((name) => `public.${name}`),
    );
    expect(round).toEqual({ proven: 5, differences: [] });
    await applier.stop();
  });
  afterAll(() => fixture.drop());

  test('a rewrite that leaves the definition as it was, and two tables that changed their names', async () => {
    const before = await compare(fixture);
    expect(before).toEqual({ differences: [], read: [] });
    await fixture.source.query(
      `ALTER TABLE public."cast" ALTER v TYPE text USING upper(v);
       ALTER TABLE public.renewed DROP flag, ADD flag int DEFAULT 2;
       ALTER TABLE public.blue RENAME TO x; ALTER TABLE public.green RENAME TO blue; ALTER TABLE public.x RENAME TO green;
       ANALYZE public.kept`,
    );
    await fixture.source.query('VACUUM FULL public.kept');
    const { differences, read } = await compare(fixture);
    const names = ['blue', 'cast', 'green', 'renewed'].map((name) => `"public"."${name}"`);
    expect(differences.map(({ object }) => object).sort()).toEqual(names);
    expect(read.sort()).toEqual(names.map((name) => `compare ${name}`));
  });
});
