import { Tuple, UNCHANGED, type Change, type Relation } from '../../../postgres/replicate/pgoutput';
import { ChangeRejection } from '../../../postgres/replicate/apply';
import { eventually } from '../../support/eventually';
import { never, WritePair } from './write-fixture';

/** The relation of a table `t (id int PRIMARY KEY, u int UNIQUE, v text)`. */
function relation(changes: Partial<Relation> = {}): Relation {
  const column = (name: string, typeOid: number, isKey = false) => ({ name, typeOid, isKey, typmod: -1 });
  return {
    oid: 1,
    schema: 'public',
    name: 't',
    replicaIdentity: 'default',
    columns: [column('id', 23, true), column('u', 23), column('v', 25)],
    message: Buffer.alloc(0),
    ...changes,
  };
}

type Cell = string | number | null | typeof UNCHANGED;
const tuple = (cells: Cell[]): Tuple =>
  Tuple.of(cells.map((cell) => (cell === null || cell === UNCHANGED ? cell : Buffer.from(String(cell)))));
const span = { bytes: Buffer.alloc(0), start: 0, end: 0 };
const insert = (of: Relation, ...row: Cell[]): Change => ({
  kind: 'insert',
  relation: of,
  row: tuple(row),
  ...span,
});
const update = (of: Relation, ...row: Cell[]): Change => ({
  kind: 'update',
  relation: of,
  row: tuple(row),
  ...span,
});
const move = (of: Relation, old: Cell[], row: Cell[], kind: 'key' | 'full' = 'key'): Change => ({
  kind: 'update',
  relation: of,
  old: { kind, row: tuple(old) },
  row: tuple(row),
  ...span,
});
const remove = (of: Relation, old: Cell[], kind: 'key' | 'full' = 'key'): Change => ({
  kind: 'delete',
  relation: of,
  old: { kind, row: tuple(old) },
  ...span,
});
const truncate = (...relations: Relation[]): Change => ({
  kind: 'truncate',
  relations,
  cascade: false,
  restartIdentity: false,
  ...span,
});

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v text)';

/** A target of its own; the changes are made by hand. */
async function withTarget(
  work: (pair: WritePair, rows: () => Promise<string[]>) => Promise<void>,
  ddl = TABLE,
): Promise<void> {
  await WritePair.with([14, 15], async (pair) => {
    await pair.onTarget(ddl);
    const rows = async () => {
      const found = await pair.target.query<{ row: string }>(
        'SELECT t::text AS row FROM public.t ORDER BY row',
      );
      return found.rows.map(({ row }) => row);
    };
    await work(pair, rows);
  });
}

test('the few rows that change all the time are written once', async () => {
  await withTarget(async (pair, rows) => {
    await pair.onTarget(
      `${TABLE.replace('t (', 'hot (')}; INSERT INTO hot SELECT n, n, 'new' FROM generate_series(0, 9) n`,
    );
    const [t, hot] = [relation(), relation({ oid: 2, name: 'hot' })];
    const changes = Array.from({ length: 3_000 }, (_, n) => [
      insert(t, n, n, 'row'),
      update(hot, n % 10, n % 10, String(n)),
    ]).flat();
    const updates = await pair.inTransaction(async () => {
      await pair.write(changes);
      const found = await pair.target.query<{ updates: number }>(
        `SELECT pg_stat_get_xact_tuples_updated('public.hot'::regclass)::int AS updates`,
      );
      return found.rows[0]?.updates;
    });
    expect(updates).toBe(10);
    expect(await rows()).toHaveLength(3_000);
    const { rows: last } = await pair.target.query('SELECT v FROM public.hot ORDER BY v::int');
    expect(last.map(({ v }: { v: string }) => v)).toEqual(
      Array.from({ length: 10 }, (_, n) => String(2_990 + n)),
    );
  });
});

test('the net effect, then strictly what it cannot do', async () => {
  await withTarget(async (pair, rows) => {
    const t = relation();
    const write = (...changes: Change[]) => pair.inTransaction(() => pair.write(changes));

    const first = await write(
      ...[1, 2, 3, 4].map((id) => insert(t, id, id, 'a')),
      update(t, 1, 1, 'b'),
      update(t, 1, 10, UNCHANGED),
      remove(t, [2, null, null]),
      remove(t, [3, null, null]),
      insert(t, 3, 3, 'again'),
    );
    expect(first).toMatchObject({
      inserts: 5,
      updates: 2,
      deletes: 2,
      truncates: 0,
      replayedStrictly: false,
    });
    expect(first.changedKeys).toEqual(new Map([[1, [['1'], ['2'], ['3'], ['4']]]]));
    expect(await rows()).toEqual(['(1,10,b)', '(3,3,again)', '(4,4,a)']);

    // rows are written in the order of their keys: who gives the unique value comes before who receives it
    const handed = await write(update(t, 4, 4, 'c'), update(t, 1, null, 'b'), update(t, 4, 10, UNCHANGED));
    expect(handed.replayedStrictly).toBe(false);
    expect(await rows()).toEqual(['(1,,b)', '(3,3,again)', '(4,10,c)']);

    const handedBack = await write(update(t, 4, null, UNCHANGED), update(t, 1, 10, UNCHANGED));
    expect(handedBack.replayedStrictly).toBe(true);
    expect(await rows()).toEqual(['(1,10,b)', '(3,3,again)', '(4,,c)']);

    const swapped = await write(
      update(t, 3, 3, 'pending'),
      move(t, [1, null, null], [99, null, UNCHANGED]),
      move(t, [3, null, null], [1, 3, UNCHANGED]),
      move(t, [99, null, null], [3, null, UNCHANGED]),
    );
    expect(swapped.replayedStrictly).toBe(false);
    expect(swapped.changedKeys.get(1)?.flat().sort()).toEqual(['1', '3', '99']);
    expect(await rows()).toEqual(['(1,3,pending)', '(3,,b)', '(4,,c)']);

    const emptied = await write(
      insert(t, 5, 5, 'x'),
      truncate(t),
      insert(t, 6, 6, 'y'),
      insert(t, 7, 7, 'z'),
      update(t, 6, 8, 'y'),
    );
    expect(emptied).toMatchObject({ inserts: 3, updates: 1, truncates: 1 });
    expect(emptied.changedKeys).toEqual(new Map([[1, null]]));
    expect(await rows()).toEqual(['(6,8,y)', '(7,7,z)']);
    expect(await write()).toMatchObject({ inserts: 0, replayedStrictly: false, changedKeys: new Map() });
  });
});

const REFUSED: [string, (t: Relation) => Change[], string, RegExp][] = [
  [
    'an update of a missing row',
    (t: Relation) => [update(t, 9, 9, 'x')],
    'ChangeRejected',
    /update met 0 rows/,
  ],
  [
    'many updates, one of a missing row',
    (t: Relation) => [update(t, 1, 1, 'x'), update(t, 9, 9, 'x')],
    'ChangeRejected',
    /update met 0 rows instead of 1/,
  ],
  [
    'a delete of a missing row',
    (t: Relation) => [remove(t, [9, null, null])],
    'ChangeRejected',
    /delete met 0/,
  ],
  [
    'many deletes, one of a missing row',
    (t: Relation) => [remove(t, [9, null, null]), remove(t, [1, null, null])],
    'ChangeRejected',
    /delete met 0/,
  ],
  ['a row that is there', (t: Relation) => [insert(t, 1, 9, 'x')], 'DataRejected', /duplicate key/],
  [
    'a row that is there, by COPY',
    (t: Relation) => [insert(t, 1, 9, 'x'), insert(t, 8, 9, 'x')],
    'DataRejected',
    /duplicate key/,
  ],
  [
    'a second insert of one row',
    (t: Relation) => [insert(t, 7, 7, 'x'), insert(t, 7, 7, 'x')],
    'DataRejected',
    /duplicate key/,
  ],
  [
    'a value that is none',
    (t: Relation) => [update(t, 1, 'sesame', 'x')],
    'DataRejected',
    /The server refused a value of a row/,
  ],
  [
    'no old key',
    (t: Relation) => [update(t, UNCHANGED, 1, 'x')],
    'ChangeRejected',
    /sent a row without its key/,
  ],
  [
    'old rows of a table with a key',
    (t: Relation) => [remove(t, [1, 1, 'a'], 'full')],
    'ChangeRejected',
    /whole old rows/,
  ],
];

test('what is refused leaves the session in order', async () => {
  await withTarget(async (pair, rows) => {
    const t = relation();
    for (const [name, changes, code, sentence] of REFUSED) {
      await pair.onTarget('TRUNCATE t');
      await pair.inTransaction(() => pair.write([insert(t, 1, 1, 'a')]));
      const failure = await failureOf(pair.inTransaction(() => pair.write(changes(t))));
      expect({ name, failure }).toMatchObject({
        name,
        failure: {
          tableOid: 1,
          fields: { code, sentence: expect.stringMatching(sentence) as string, object: '"public"."t"' },
        },
      });
      expect(failure).toBeInstanceOf(ChangeRejection);
      expect(String(failure)).not.toContain('sesame');
      expect(await rows()).toEqual(['(1,1,a)']);
      await pair.inTransaction(() => pair.write([update(t, 1, 2, 'b')]));
      expect(await rows()).toEqual(['(1,2,b)']);
    }
  });
});

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test('keys that are equal and differ as text are never merged', async () => {
  await withTarget(async (pair, rows) => {
    const column = (name: string, typeOid: number, isKey = false) => ({ name, typeOid, isKey, typmod: -1 });
    const t = relation({ columns: [column('id', 1700, true), column('v', 25)] });
    const write = (...changes: Change[]) => pair.inTransaction(() => pair.write(changes));
    await write(insert(t, '1.0', 'a'), insert(t, '2', 'a'));
    await write(remove(t, ['1.0', null]), insert(t, '1.00', 'b'), update(t, '1.00', 'c'));
    expect(await rows()).toEqual(['(1.00,c)', '(2,a)']);
    await write(move(t, ['1.00', null], ['1.000', 'd']), update(t, '2', 'e'), update(t, '1.000', 'f'));
    expect(await rows()).toEqual(['(1.000,f)', '(2,e)']);
    // no source sends this: the count of rows tells
    const both = write(update(t, '1.0', 'x'), update(t, '1.00', 'y'), remove(t, ['2.0', null]));
    await both.catch(() => undefined);
    expect(['(1.00,y)', '(1.000,f)', '(1.000,y)']).toContain((await rows())[0]);
    await expect(write(remove(t, ['1.0', null]), remove(t, ['1.00', null]))).rejects.toMatchObject({
      code: 'ChangeRejected',
    });
  }, 'CREATE TABLE t (id numeric PRIMARY KEY, v text)');
});

test('one table that fails is written strictly, and named', async () => {
  await withTarget(async (pair, rows) => {
    await pair.onTarget('CREATE TABLE "o""ther 🙂" (id int PRIMARY KEY, u int, v text)');
    const [t, other] = [relation(), relation({ oid: 2, name: 'o"ther 🙂' })];
    const changes = [
      insert(t, 1, 1, 'a'),
      insert(other, 1, 1, 'a'),
      update(other, 2, 2, 'b'),
      insert(t, 2, 2, 'b'),
    ];
    await expect(pair.inTransaction(() => pair.write(changes))).rejects.toMatchObject({
      tableOid: 2,
      fields: { object: '"public"."o""ther 🙂"', side: 'target' },
    });
    await pair.inTransaction(() => pair.write(changes.filter((change) => change !== changes[2])));
    expect(await rows()).toEqual(['(1,1,a)', '(2,2,b)']);
  });
});

test('rows of a FULL table: exactly one of the equal ones', async () => {
  await withTarget(async (pair, rows) => {
    pair.identities = { t: 'full' };
    const column = (name: string, typeOid: number) => ({ name, typeOid, isKey: true, typmod: -1 });
    const t = relation({ replicaIdentity: 'full', columns: [column('a', 1700), column('f', 701)] });
    pair.knownAs(1, 't');
    const write = (...changes: Change[]) => pair.inTransaction(() => pair.write(changes));
    await write(
      ...Array.from({ length: 3 }, () => insert(t, '1.0', '-0')),
      insert(t, '1.00', 0),
      insert(t, null, null),
    );
    // a NaN as it comes from the source in the binary format
    await pair.target.query(`INSERT INTO public.t VALUES (7, -('NaN'::float8))`);
    await write(
      remove(t, ['1.0', '-0'], 'full'),
      move(t, ['1.0', '-0'], ['1.0', 'NaN'], 'full'),
      remove(t, ['7', 'NaN'], 'full'),
      move(t, [null, null], [null, 5], 'full'),
    );
    expect(await rows()).toEqual(['(,5)', '(1.0,-0)', '(1.0,NaN)', '(1.00,0)']);
    for (const gone of [
      ['1.00', '-0'],
      ['1.000', '0'],
      [null, null],
    ]) {
      await expect(write(remove(t, gone, 'full'))).rejects.toMatchObject({ code: 'ChangeRejected' });
    }
    await expect(write(remove(t, ['1.0', '-0'], 'key'))).rejects.toMatchObject({ code: 'ChangeRejected' });
  }, 'CREATE TABLE t (a numeric, f float8); CREATE INDEX ON t (a)');
});

const DRIFTS: [string, string, RegExp][] = [
  ['no table', 'DROP TABLE t', /table is missing/],
  ['no column', 'ALTER TABLE t DROP v', /no column "v"/],
  ['another column', 'ALTER TABLE t ADD "n""ew" int', /no column "n\\"ew"/],
  ['another type', 'ALTER TABLE t ALTER u TYPE int8', /column "u" is of another type/],
  ['another typmod', 'ALTER TABLE t ALTER v TYPE varchar(5)', /column "v" is of another type/],
  ['no key', 'ALTER TABLE t DROP CONSTRAINT t_pkey', /no unique index on the columns .*\("id"\)/],
  ['another key', 'ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (id, v)', /no unique index/],
  [
    'a partial key',
    'ALTER TABLE t DROP CONSTRAINT t_pkey; CREATE UNIQUE INDEX ON t (id) WHERE u > 0',
    /no unique/,
  ],
  ['a view', 'ALTER TABLE t RENAME TO o; CREATE VIEW t AS SELECT * FROM o', /table is missing/],
];

test('drift is named', async () => {
  await withTarget(async (pair) => {
    for (const [name, ddl, sentence] of DRIFTS) {
      await pair.onTarget(`DROP SCHEMA public CASCADE; CREATE SCHEMA public; ${TABLE}; ${ddl}`);
      const failure = await failureOf(pair.inTransaction(() => pair.write([insert(relation(), 1, 1, 'a')])));
      expect({ name, failure }).toMatchObject({
        name,
        failure: {
          tableOid: 1,
          fields: { code: 'SchemaDrift', sentence: expect.stringMatching(sentence) as string },
        },
      });
    }
  });
});

test('a table that bears the name of another one now is not written to', async () => {
  await withTarget(async (pair, rows) => {
    pair.loadedAs = '"public"."t before"';
    await expect(pair.write([insert(relation(), 1, 1, 'a')])).rejects.toMatchObject({
      fields: {
        code: 'SchemaDrift',
        sentence: `The source's table is called "public"."t".`,
        object: '"public"."t before"',
      },
    });
    expect(await rows()).toEqual([]);
  });
});

test('a generated column of the target alone is drift too', async () => {
  await withTarget(async (pair) => {
    await expect(pair.write([insert(relation(), 1, 1, 'a')])).rejects.toMatchObject({
      fields: { code: 'SchemaDrift', sentence: 'The column "u" is generated on the target only.' },
    });
  }, 'CREATE TABLE t (id int PRIMARY KEY, u int GENERATED ALWAYS AS (id) STORED, v text)');
});

test('an abort and a killed session end the write, and are no rejection', async () => {
  await withTarget(async (pair) => {
    const t = relation();
    const aborted = new AbortController();
    aborted.abort(new Error('enough'));
    await expect(
      pair.inTransaction(() => pair.write([insert(t, 1, 1, 'a')], aborted.signal)),
    ).rejects.toThrow('enough');
    const { rows } = await pair.target.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const pid = [rows[0]?.pid];
    await pair.target.query('BEGIN');
    const many = Array.from({ length: 300_000 }, (_, id) => insert(t, id + 10, null, 'x'.repeat(100)));
    const failure = await pair.besideTarget(async (other) => {
      // however fast the rows are written: they are not before this ends
      await other.query('BEGIN; LOCK TABLE t IN SHARE MODE');
      const writing = failureOf(pair.write(many, never));
      const waits = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = 'Lock'`;
      await eventually('the write waits', async () => (await other.query(waits, pid)).rowCount === 1);
      await other.query('SELECT pg_terminate_backend($1)', pid);
      return await writing;
    });
    expect(failure).toBeInstanceOf(Error);
    expect(failure).not.toBeInstanceOf(ChangeRejection);
  });
});
