import { eventually } from '../../support/eventually';
import type { Major } from '../../support/servers';
import type { ChangeStream, Relation, RowChange, StreamEvent } from '../../../postgres/replicate/pgoutput';
import { changesOf, readTransactions, StreamSource } from './stream-fixture';

const SETUP = `
  CREATE TABLE plain (id int PRIMARY KEY, t text);
  CREATE TABLE other (a int, b int, c text, PRIMARY KEY (c, a));
  CREATE TABLE whole (a int, t text);
  ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE by_index (t text, k int NOT NULL UNIQUE);
  ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_k_key;
  CREATE TABLE big (id int PRIMARY KEY, n int, t text);
  ALTER TABLE big ALTER t SET STORAGE EXTERNAL;
  CREATE TABLE nothing ();
  CREATE SCHEMA "S.ché""ma 😀";
  CREATE TABLE "S.ché""ma 😀"."tä.b""le 😀
line" ("ID 😀" int PRIMARY KEY, "'q'" text);
  CREATE TYPE mood AS ENUM ('sad', 'glücklich');
  CREATE TABLE typed (id int PRIMARY KEY, m mood, d date, ts timestamptz, i interval, f float8, by bytea, mo money,
                      r regclass, e text);
  CREATE TABLE gone (id int PRIMARY KEY, dropped text, kept varchar(7));
  ALTER TABLE gone DROP dropped;`;

describe.each<Major>([11, 14, 18])('what the slot of a server of major %d sends', (major) => {
  let source: StreamSource;
  let stream: ChangeStream;
  let readTo = 0n;

  beforeAll(async () => {
    source = await StreamSource.create(major, SETUP);
    stream = await source.open();
  });
  afterAll(() => source.drop());

  /** Runs one transaction, or several separated by `;;`, and reads what comes. */
  const run = async (sql: string): Promise<StreamEvent[][]> => {
    const statements = sql.split(';;');
    for (const statement of statements) await source.sql(statement);
    const transactions = await readTransactions(stream, statements.length);
    const commit = transactions.at(-1)?.at(-1);
    if (commit?.kind === 'commit') readTo = commit.endLsn;
    return transactions;
  };
  const lines = async (sql: string) => (await run(sql)).map(changesOf);

  test('INSERT, UPDATE with and without a change of the key, DELETE', async () => {
    const [first] = await run(`INSERT INTO plain VALUES (1, 'é😀'), (2, NULL), (3, '');
      UPDATE plain SET t = 'two' WHERE id = 2; UPDATE plain SET id = 4 WHERE id = 3; DELETE FROM plain WHERE id < 3`);
    expect(changesOf(first)).toEqual([
      'insert plain (1,é😀)',
      'insert plain (2,NULL)',
      'insert plain (3,)',
      'update plain -> (2,two)',
      'update plain key (3,NULL) -> (4,)',
      'delete plain key (1,NULL)',
      'delete plain key (2,NULL)',
    ]);
    const [begin, insert] = first ?? [];
    const commit = first?.at(-1);
    if (begin?.kind !== 'begin' || insert?.kind !== 'insert' || commit?.kind !== 'commit') throw new Error();
    expect(commit.endLsn).toBeGreaterThan(begin.commitLsn);
    expect(Math.abs(begin.commitTime - Date.now())).toBeLessThan(60_000);
    expect(begin.xid).toBeGreaterThan(0);
    expect(insert.relation).toMatchObject({ schema: 'public', name: 'plain', replicaIdentity: 'default' });
    expect(insert.relation.columns).toEqual([
      { name: 'id', isKey: true, typeOid: 23, typmod: -1 },
      { name: 't', isKey: false, typeOid: 25, typmod: -1 },
    ]);
  });

  test('composite keys, FULL and USING INDEX', async () => {
    const all =
      await lines(`INSERT INTO other VALUES (1, 2, 'x'); UPDATE other SET b = 3; UPDATE other SET a = 9;
      DELETE FROM other;;
      INSERT INTO whole VALUES (1, NULL); UPDATE whole SET t = 'x'; DELETE FROM whole;;
      INSERT INTO by_index VALUES ('x', 1); UPDATE by_index SET t = 'y'; UPDATE by_index SET k = 2`);
    expect(all).toEqual([
      [
        'insert other (1,2,x)',
        'update other -> (1,3,x)',
        'update other key (1,NULL,x) -> (9,3,x)',
        'delete other key (9,NULL,x)',
      ],
      ['insert whole (1,NULL)', 'update whole full (1,NULL) -> (1,x)', 'delete whole full (1,x)'],
      ['insert by_index (x,1)', 'update by_index -> (y,1)', 'update by_index key (NULL,1) -> (y,2)'],
    ]);
  });

  test('a TOAST value that stays is not sent', async () => {
    const [, update, moved] = await lines(`INSERT INTO big VALUES (1, 1, repeat('x', 100000));;
      UPDATE big SET n = 2;; UPDATE big SET id = 2`);
    expect(update).toEqual(['update big -> (1,2,UNCHANGED)']);
    expect(moved).toEqual(['update big key (1,NULL,NULL) -> (2,2,UNCHANGED)']);
  });

  test('one TRUNCATE of several tables', async () => {
    expect(await lines(`TRUNCATE plain, other, big RESTART IDENTITY CASCADE;; TRUNCATE whole`)).toEqual([
      [expect.stringMatching(/^truncate (plain|other|big),(plain|other|big),(plain|other|big) true true$/)],
      ['truncate whole false false'],
    ]);
  });

  test('a table without columns, names with everything in them, and a dropped column', async () => {
    const [none, named, gone] = await run(`INSERT INTO nothing DEFAULT VALUES;;
      INSERT INTO "S.ché""ma 😀"."tä.b""le 😀\nline" VALUES (1, 'x');; INSERT INTO gone VALUES (1, 'abc')`);
    expect(changesOf(none)).toEqual(['insert nothing ()']);
    const { relation } = named?.[1] as RowChange;
    expect(relation).toMatchObject({ schema: 'S.ché"ma 😀', name: 'tä.b"le 😀\nline' });
    expect(relation.columns.map(({ name }) => name)).toEqual(['ID 😀', "'q'"]);
    expect(changesOf(gone)).toEqual(['insert gone (1,abc)']);
    expect((gone?.[1] as RowChange).relation.columns[1]).toMatchObject({ name: 'kept', typmod: 11 });
  });

  test('values in the text of our session settings, whatever the database is set to', async () => {
    await source.sql(`ALTER DATABASE "${source.database}" SET datestyle = 'SQL, DMY';
      ALTER DATABASE "${source.database}" SET intervalstyle = 'iso_8601';
      ALTER DATABASE "${source.database}" SET bytea_output = 'escape';
      ALTER DATABASE "${source.database}" SET extra_float_digits = -5;
      ALTER DATABASE "${source.database}" SET timezone = 'Asia/Tokyo'`);
    await stream.close();
    stream = await source.open({ from: readTo });
    const [typed] = await lines(`INSERT INTO typed VALUES (1, 'glücklich', date '2024-02-03',
      timestamptz '2024-02-03 04:05:06.789+09', interval '1 year 2 days 03:04', 0.1::float8 + 0.2, '\\x00ff', 12.5, 'plain',
      '1,500')`);
    const float = major < 12 ? '0.300000000000000044' : '0.30000000000000004';
    expect(typed).toEqual([
      `insert typed (1,glücklich,2024-02-03,2024-02-02 19:05:06.789+00,1 year 2 days 03:04:00,${float},` +
        '\\x00ff,$12.50,public.plain,1,500)',
    ]);
  });

  test('1,600 columns', async () => {
    const columns = Array.from({ length: 1_599 }, (_, index) => `c${index} bool`);
    await source.sql(`CREATE TABLE wide (id int PRIMARY KEY, ${columns.join(',')})`);
    const [wide] = await run(`INSERT INTO wide VALUES (7); UPDATE wide SET c1598 = true; DELETE FROM wide`);
    const [, insert, update, gone] = wide as [unknown, RowChange, RowChange, RowChange];
    expect(insert.relation.columns).toHaveLength(1_600);
    expect(insert.kind === 'insert' && insert.row.length).toBe(1_600);
    expect(update.kind === 'update' && update.row.values().at(-1)?.toString()).toBe('t');
    expect(gone.kind === 'delete' && gone.old.row.value(0)?.toString()).toBe('7');
  });

  test('a Relation is a new object once its table has changed; the server may repeat an unchanged one', async () => {
    const [one, two, three] =
      await run(`INSERT INTO plain VALUES (10, 'a');; INSERT INTO plain VALUES (11, 'b');;
      ALTER TABLE plain ADD n int DEFAULT 5; INSERT INTO plain VALUES (12, 'c')`);
    const relation = (events: StreamEvent[] | undefined): Relation => (events?.[1] as RowChange).relation;
    expect(relation(two)).toEqual(relation(one));
    expect(relation(three)).not.toBe(relation(one));
    expect(relation(three).oid).toBe(relation(one).oid);
    expect(relation(three).columns).toHaveLength(3);
    expect(relation(one).columns).toHaveLength(2);
  });

  test('COPY of 2,000 rows: none merged, none lost', async () => {
    const [copied] = await run(`COPY whole FROM PROGRAM 'seq -f "%.0f,v" 2000 | tr , "\\t"'`);
    expect(changesOf(copied)).toEqual(Array.from({ length: 2_000 }, (_, n) => `insert whole (${n + 1},v)`));
  });

  test('transactions come whole, in the order of their commits; subtransactions that were rolled back do not', async () => {
    await source.session(async (one) => {
      await source.session(async (two) => {
        await one.query(`BEGIN; INSERT INTO other VALUES (1, 1, 'one')`);
        await two.query(
          `BEGIN; INSERT INTO other VALUES (2, 2, 'two'); SAVEPOINT s; INSERT INTO other VALUES (0, 0, '')`,
        );
        await one.query(`INSERT INTO other VALUES (3, 1, 'one')`);
        await two.query(`ROLLBACK TO s; INSERT INTO other VALUES (4, 2, 'two'); COMMIT`);
        await one.query('COMMIT');
      });
    });
    const transactions = await readTransactions(stream, 2);
    expect(transactions.map(changesOf)).toEqual([
      ['insert other (2,2,two)', 'insert other (4,2,two)'],
      ['insert other (1,1,one)', 'insert other (3,1,one)'],
    ]);
  });

  test('a prepared transaction comes when it is committed', async () => {
    const gid = `stream test ${source.database}`;
    await source.sql(`BEGIN; INSERT INTO other VALUES (50, 1, 'prepared'); PREPARE TRANSACTION '${gid}'`);
    const [before] = await lines(`INSERT INTO other VALUES (51, 1, 'direct')`);
    expect(before).toEqual(['insert other (51,1,direct)']);
    const end = await source.walEnd();
    const [after] = await run(`COMMIT PREPARED '${gid}'`);
    expect(changesOf(after)).toEqual(['insert other (50,1,prepared)']);
    expect(after?.[0]?.kind === 'begin' && after[0].commitLsn).toBeGreaterThanOrEqual(end);
  });

  test('logical messages, from 14 on', async () => {
    const sql = `SELECT pg_logical_emit_message(true, 'flexlift ß', 'content 😀'); INSERT INTO other VALUES (60, 1, 'm')`;
    const [events] = await lines(sql);
    const row = 'insert other (60,1,m)';
    expect(events).toEqual(major < 14 ? [row] : ['message true flexlift ß content 😀', row]);
  });

  const testFrom12 = major < 12 ? test.skip : test;
  testFrom12('generated columns are left out, also where they are the first', async () => {
    await source.sql('CREATE TABLE made (g int GENERATED ALWAYS AS (id * 2) STORED, id int PRIMARY KEY)');
    const [events] = await run('INSERT INTO made (id) VALUES (4)');
    expect(changesOf(events)).toEqual(['insert made (4)']);
    expect((events?.[1] as RowChange).relation.columns.map(({ name }) => name)).toEqual(['id']);
  });

  test('an idle database: positions follow what others write', async () => {
    const other = await StreamSource.create(major, 'CREATE TABLE t (i int)');
    try {
      await other.sql('INSERT INTO t SELECT generate_series(1, 1000)');
      const end = await source.walEnd();
      await eventually('a position beyond it', async () => {
        stream.askPosition();
        const events = await stream.read(200);
        return events.some((event) => event.kind === 'position' && event.lsn >= end);
      });
    } finally {
      await other.drop();
    }
  });
});
