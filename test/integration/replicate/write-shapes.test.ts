import { WritePair } from './write-fixture';

test('a FULL table with an index is not read from end to end for each change', async () => {
  await WritePair.with([14, 15], async (pair) => {
    await pair.both(
      `CREATE TABLE t (a int, b text); CREATE INDEX ON t (a); ALTER TABLE t REPLICA IDENTITY FULL`,
    );
    await pair.begin();
    await pair.source.query(`INSERT INTO t SELECT g, NULLIF(g % 2, 0) FROM generate_series(1, 20000) g`);
    await pair.catchUp();
    await pair.source.query(`UPDATE t SET b = 'x' WHERE a % 10 = 0`);
    const changes = await pair.changes();
    const { rows } = await pair.inTransaction(async () => {
      await pair.write(changes);
      return await pair.target.query<{ scans: string }>(
        `SELECT pg_stat_get_xact_numscans('public.t'::regclass) AS scans`,
      );
    });
    expect(Number(rows[0]?.scans)).toBe(0);
    await pair.expectEqual();
  });
});

test('TRUNCATE of tables that refer to each other, and of one that a table still refers to', async () => {
  await WritePair.with([11, 15], async (pair) => {
    await pair.both(
      `CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)`,
    );
    await pair.begin();
    await pair.source.query('INSERT INTO a VALUES (1), (2); INSERT INTO b VALUES (1, 1)');
    await pair.catchUp();
    await pair.source.query('TRUNCATE a CASCADE; INSERT INTO a VALUES (3)');
    expect((await pair.catchUp())[0]).toMatchObject({ truncates: 1, inserts: 1, replayedStrictly: false });
    expect(await pair.expectEqual()).toBe(1);
    await pair.source.query(
      'ALTER TABLE b DROP CONSTRAINT b_a_fkey; TRUNCATE a; INSERT INTO a VALUES (4), (5)',
    );
    expect((await pair.catchUp())[0]).toMatchObject({ truncates: 1, inserts: 2, replayedStrictly: false });
    expect(await pair.expectEqual()).toBe(2);
  });
});

test('an identity GENERATED ALWAYS, which UPDATE cannot set', async () => {
  await WritePair.with([14, 15], async (pair) => {
    const always = 'int GENERATED ALWAYS AS IDENTITY';
    await pair.both(`
      CREATE TABLE as_key (n ${always} PRIMARY KEY, v text);
      CREATE TABLE alone (n ${always} PRIMARY KEY);
      CREATE TABLE beside (id int PRIMARY KEY, n ${always}, v text); ALTER TABLE beside ALTER v SET STORAGE EXTERNAL;
      CREATE TABLE in_full (id int, n ${always}, v text); ALTER TABLE in_full REPLICA IDENTITY FULL`);
    await pair.begin();
    const run = async (sql: string, isStrict: boolean) => {
      await pair.source.query(sql);
      const written = await pair.catchUp();
      expect(written.map((each) => each.replayedStrictly)).toEqual([isStrict]);
      await pair.expectEqual();
    };
    await run(
      `INSERT INTO as_key (v) VALUES ('a'), ('b'); INSERT INTO alone DEFAULT VALUES; INSERT INTO alone DEFAULT VALUES;
       INSERT INTO beside (id, v) SELECT g, repeat('x', 3000) FROM generate_series(1, 4) g;
       INSERT INTO in_full (id, v) VALUES (1, 'a'), (1, 'a'), (2, NULL)`,
      false,
    );
    await run(
      `UPDATE as_key SET v = 'c'; UPDATE beside SET v = 'c' WHERE id < 3; UPDATE in_full SET v = 'c'`,
      false,
    );
    await run(
      `UPDATE beside SET v = v; UPDATE beside SET id = id + 10; UPDATE in_full SET n = DEFAULT`,
      false,
    );
    await run('UPDATE as_key SET n = DEFAULT; UPDATE alone SET n = DEFAULT', false);
    await run(`UPDATE beside SET n = DEFAULT WHERE id > 12; UPDATE beside SET v = 'd' WHERE id < 13`, true);
  });
});

test('tables of all shapes', async () => {
  await WritePair.with([14, 15], async (pair) => {
    const names = Array.from({ length: 1600 }, (_, at) => `c${at}`);
    const columns = (lead: string) => [lead, ...names.slice(1).map((name) => `${name} int`)].join(', ');
    await pair.both(`
      CREATE TABLE nothing ();
      CREATE TABLE "q.""uote 🙂
" ("i""d 🙂" int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Käse.x" text, gen int GENERATED ALWAYS AS ("i""d 🙂" * 2) STORED);
      CREATE TABLE wide (${columns('c0 int PRIMARY KEY')});
      CREATE TABLE wide_full (${columns('c0 int')}); ALTER TABLE wide_full REPLICA IDENTITY FULL;
      CREATE TABLE only_key (a int, b text COLLATE "C", PRIMARY KEY (b, a));
      CREATE UNIQUE INDEX other_collation ON only_key (b COLLATE "POSIX", a);
      CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child () INHERITS (parent);
      ALTER TABLE child ADD PRIMARY KEY (id);
      CREATE TABLE part (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
      CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
      CREATE TABLE part_2 (at date NOT NULL, id int NOT NULL, PRIMARY KEY (id, at));
      ALTER TABLE part ATTACH PARTITION part_2 FOR VALUES FROM ('2024-01-01') TO (MAXVALUE)`);
    pair.identities = { nothing: 'append' };
    await pair.begin();
    const run = async (sql: string) => {
      await pair.source.query(sql);
      const written = await pair.catchUp();
      expect(written.some((each) => each.replayedStrictly)).toBe(false);
      await pair.expectEqual();
    };
    await run(`
      INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;
      INSERT INTO "q.""uote 🙂
" ("Käse.x") VALUES ('a'), ('b'), ('c');
      INSERT INTO wide SELECT FROM generate_series(1, 0); INSERT INTO wide (c0, c1599) VALUES (1, 1), (2, 2), (3, 3);
      INSERT INTO wide_full (c0, c1599) VALUES (1, 1), (2, 2), (2, 2);
      INSERT INTO only_key VALUES (1, 'a'), (2, 'b'), (3, 'c');
      INSERT INTO parent VALUES (1, 'p'), (2, 'p'); INSERT INTO child VALUES (1, 'c'), (2, 'c');
      INSERT INTO part VALUES (1, '2023-01-01'), (2, '2024-01-01'), (3, '2024-01-01')`);
    await run(`
      UPDATE "q.""uote 🙂
" SET "Käse.x" = 'x'; UPDATE wide SET c7 = 7; UPDATE wide_full SET c7 = 7;
      UPDATE only_key SET a = a; UPDATE only_key SET a = 9 WHERE a = 1; UPDATE parent SET v = 'y';
      UPDATE part SET at = '2023-05-05' WHERE id = 2; UPDATE part SET id = id + 10`);
    await run(`
      DELETE FROM "q.""uote 🙂
" WHERE "i""d 🙂" < 3; DELETE FROM wide WHERE c0 < 3; DELETE FROM wide_full WHERE c0 = 2;
      DELETE FROM only_key; DELETE FROM ONLY parent; DELETE FROM part`);
    await run('TRUNCATE nothing, wide; TRUNCATE part, ONLY parent');
  });
});

test('large values come and change, and an unchanged one stays', async () => {
  await WritePair.with([14, 15], async (pair) => {
    await pair.both(`CREATE TABLE t (id int PRIMARY KEY, big text, v int); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
      CREATE TABLE f (id int, big text, v int); ALTER TABLE f REPLICA IDENTITY FULL;
      CREATE TABLE k (key text PRIMARY KEY, v int); ALTER TABLE k ALTER key SET STORAGE EXTERNAL`);
    await pair.begin();
    for (const sql of [
      String.raw`INSERT INTO t SELECT g, repeat(E'a\\"\n\t', 800000 * (g % 2) + g), 0 FROM generate_series(1, 6) g;
        INSERT INTO f SELECT * FROM t; INSERT INTO k SELECT repeat(g::text, 2500), g FROM generate_series(1, 9) g`,
      `UPDATE t SET v = 1; UPDATE f SET v = 1; UPDATE k SET v = 10`,
      `UPDATE t SET big = big || 'x', v = 2 WHERE id < 4; UPDATE t SET v = 3; UPDATE t SET id = id + 100;
       UPDATE k SET key = key || '-' WHERE v < 5; UPDATE k SET v = 11`,
      `DELETE FROM f WHERE id % 3 <> 0; DELETE FROM k`,
    ]) {
      await pair.source.query(sql);
      await pair.catchUp();
      await pair.expectEqual();
    }
  });
});

test('SQL_ASCII keeps bytes that are no text of any encoding', async () => {
  const work = async (pair: WritePair) => {
    await pair.both('CREATE TABLE t (id text PRIMARY KEY, v text)');
    await pair.begin();
    await pair.source.query(`INSERT INTO t VALUES (E'\\xe4', 'a'), (E'\\xff', E'\\xfe')`);
    await pair.source.query(`UPDATE t SET v = E'\\xc3\\x28'; UPDATE t SET id = E'\\x80' WHERE id = E'\\xff'`);
    await pair.source.query(`SET client_encoding = 'SQL_ASCII'`);
    await pair.catchUp();
    expect(await pair.expectEqual()).toBe(2);
  };
  await WritePair.with([14, 15], work, `ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`);
});
