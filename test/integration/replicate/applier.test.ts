import type { Client } from 'pg';
import type { Major } from '../../support/servers';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { eventually } from '../../support/eventually';
import { progressLog, ReplicationFixture } from './applier-fixture';

/** Names that need quoting, an identity of each kind, a partition tree, foreign keys left for later. */
const SCHEMA = `
  CREATE SCHEMA "Sales ""emoji"" 😀";
  CREATE TABLE p (id int PRIMARY KEY, body text, n int);
  INSERT INTO p SELECT g, 'first ' || g, 0 FROM generate_series(1, 50) g;
  CREATE TABLE c (a int, "B.c" text, v text, PRIMARY KEY (a, "B.c"));
  CREATE TABLE log (at timestamptz DEFAULT clock_timestamp(), what text);
  CREATE TABLE f (x int, y text); ALTER TABLE f REPLICA IDENTITY FULL;
  CREATE TABLE "Sales ""emoji"" 😀"."Order
    lines" ("Id" bigint PRIMARY KEY, "select" jsonb);
  CREATE TABLE tree (id int, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
  CREATE TABLE tree_1 PARTITION OF tree FOR VALUES FROM (0) TO (10);
  CREATE TABLE tree_2 PARTITION OF tree FOR VALUES FROM (10) TO (20);`;

async function workload(fixture: ReplicationFixture): Promise<void> {
  const { source } = fixture;
  const other = await fixture.session('source');
  try {
    await interleaved(source, other);
    await source.query(`INSERT INTO p SELECT g, repeat('x', g % 50), g FROM generate_series(1000, 2999) g`);
    await source.query(
      `COPY p (id, body, n) FROM PROGRAM 'seq -f "%g,copied,1" 10001 12000' WITH (FORMAT csv)`,
    );
    await source.query(`BEGIN; UPDATE p SET n = n + 1; SAVEPOINT a; DELETE FROM p WHERE id % 2 = 0;
      ROLLBACK TO a; SAVEPOINT b; DELETE FROM p WHERE id % 3 = 0; RELEASE b; UPDATE p SET id = -id WHERE id < 40; COMMIT`);
    await source.query(`BEGIN; INSERT INTO c VALUES (1, 'x', 'lost'); TRUNCATE c, p; INSERT INTO p VALUES (1, 'new', 1);
      INSERT INTO c SELECT g, 'k ' || g, NULL FROM generate_series(1, 10) g; COMMIT`);
    const gid = `applier ${fixture.database}`;
    await source.query(`BEGIN; INSERT INTO p VALUES (2, 'prepared', 2); PREPARE TRANSACTION '${gid}'`);
    await other.query(`INSERT INTO p VALUES (3, 'in between', 3)`);
    await source.query(`COMMIT PREPARED '${gid}'`);
    await source.query(`INSERT INTO f VALUES (1, 'a'), (1, 'a'), (2, NULL)`);
    await source.query(
      `UPDATE f SET y = 'b' WHERE x = 2; DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f WHERE x = 1)`,
    );
    await source.query(`INSERT INTO "Sales ""emoji"" 😀"."Order
    lines" VALUES (1, '{"a": "it''s \\\\ 😀"}')`);
    await source.query(
      `INSERT INTO tree SELECT g, g FROM generate_series(0, 19) g; UPDATE tree SET k = 15 WHERE k = 5`,
    );
    await source.query(`INSERT INTO log (what) VALUES ('a'), ('a'), (NULL)`);
  } finally {
    await other.end();
  }
}

async function interleaved(a: Client, b: Client): Promise<void> {
  await a.query('BEGIN; UPDATE p SET n = 1 WHERE id = 1');
  await b.query(`BEGIN; INSERT INTO c VALUES (7, 'seven', 'b'); UPDATE p SET n = 2 WHERE id = 2`);
  await a.query(`INSERT INTO c VALUES (8, 'eight', 'a')`);
  await b.query('COMMIT');
  await a.query('UPDATE p SET n = n + 10 WHERE id = 2; DELETE FROM c WHERE a = 7');
  await a.query('COMMIT');
}

describe.each<[Major, Major]>([
  [15, 17],
  [11, 18],
  [17, 14],
  [14, 11],
])('from %d to %d', (source, target) => {
  let fixture: ReplicationFixture;
  beforeAll(async () => {
    fixture = await ReplicationFixture.create(source, target, SCHEMA);
  });
  afterAll(() => fixture.drop());

  it('applies what was written before its start and while it runs, and says so', async () => {
    await workload(fixture);
    const log = progressLog();
    const confirmation = fixture.watchConfirmation();
    const applier = fixture.run({ onProgress: log.onProgress });
    await fixture.caughtUp();
    await fixture.expectEqual();
    await fixture.source.query(`INSERT INTO p SELECT g, 'live', 0 FROM generate_series(50001, 50100) g`);
    await fixture.caughtUp();
    await fixture.expectEqual();
    await eventually('a report without a lag', () =>
      Promise.resolve(log.all.some(({ lagBytes, lagSeconds }) => lagBytes === 0 && lagSeconds === 0)),
    );
    const { ended, progress } = await applier.stop();
    expect(ended).toBe('stopped');
    expect(await confirmation.stop()).toBeGreaterThan(10);
    expect(progress.stoppedTables).toEqual([]);
    expect(progress.changes.inserts).toBeGreaterThan(100);
    expect(progress.changes.truncates).toBeGreaterThan(0);
    expect(progress.retainedBytes).toBeGreaterThan(0);
  });

  it('goes on where the ledger stands, and takes nothing twice', async () => {
    await fixture.source.query(`INSERT INTO log (what) VALUES ('between two runs')`);
    const applier = fixture.run();
    await fixture.caughtUp();
    await applier.stop();
    await fixture.expectEqual();
  });
});

it('applies changes of a table whose first column is generated', async () => {
  const table = `CREATE TABLE t (double int GENERATED ALWAYS AS (n * 2) STORED, id int PRIMARY KEY, n int);
                 INSERT INTO t (id, n) VALUES (1, 1), (2, 2)`;
  const fixture = await ReplicationFixture.create(15, 17, table);
  try {
    const applier = fixture.run();
    await fixture.source.query(
      'INSERT INTO t (id, n) SELECT g, g FROM generate_series(3, 9) g; UPDATE t SET n = n + 10; DELETE FROM t WHERE id = 2',
    );
    await fixture.caughtUp();
    await fixture.expectEqual();
    await applier.stop();
  } finally {
    await fixture.drop();
  }
});

it('keeps and reports what the watch finds, and survives its failure', async () => {
  const fixture = await ReplicationFixture.create(15, 17, 'CREATE TABLE t (id int PRIMARY KEY)');
  try {
    const drift = [{ kind: 'catalog' as const, object: '"public"."t"', message: `It's another "t".` }];
    let calls = 0;
    const onWatch = () => {
      calls += 1;
      return calls % 2 === 1 ? Promise.resolve(drift) : Promise.reject(new Error('the watch failed'));
    };
    const applier = fixture.run({ onWatch, watchInterval: 100 });
    await eventually('some watches', () => Promise.resolve(calls > 4));
    await fixture.source.query('INSERT INTO t VALUES (1)');
    await fixture.caughtUp();
    await eventually(
      'the drift in the ledger',
      async () =>
        (await fixture.target.query('SELECT FROM flexlift.stream WHERE drift = $1', [JSON.stringify(drift)]))
          .rowCount === 1,
    );
    expect((await applier.stop()).progress.drift).toEqual(drift);
    expect((await fixture.run({ seconds: 0 }).result).progress.drift).toEqual(drift);
  } finally {
    await fixture.drop();
  }
});

it('moves the slot of a quiet database on while others write, so that no WAL is kept for it', async () => {
  const fixture = await ReplicationFixture.create(15, 17, 'CREATE TABLE t (id int PRIMARY KEY)');
  const other = await fixture.session('source', 'postgres');
  try {
    const applier = fixture.run();
    await fixture.caughtUp();
    await eventually(
      'the last commit to be confirmed',
      async () => (await fixture.confirmedLsn()) === (await fixture.ledgerLsn()),
    );
    const before = (await fixture.confirmedLsn()) ?? 0n;
    const keptFrom = async () => {
      const { rows } = await other.query<{ lsn: string }>(
        `SELECT restart_lsn::text AS lsn FROM pg_replication_slots WHERE database = '${fixture.database}'`,
      );
      return parseLsn(rows[0]?.lsn ?? '0/0');
    };
    for (let i = 0; i < 100; i++) {
      await other.query(`SELECT pg_logical_emit_message(false, 'another', repeat('x', 1000))`);
    }
    await eventually(
      'the confirmed position to move',
      async () => ((await fixture.confirmedLsn()) ?? 0n) > before + 100_000n,
      { timeout: 25_000 },
    );
    // which running transactions there were is in the WAL from then on, and the slot can begin there
    await other.query('CHECKPOINT');
    await other.query(`SELECT pg_logical_emit_message(false, 'another', 'x')`);
    await eventually('the WAL before it to be let go', async () => (await keptFrom()) > before, {
      timeout: 25_000,
    });
    await applier.stop();
  } finally {
    await other.end();
    await fixture.drop();
  }
});
