import { Client } from 'pg';
import { eventually } from '../../support/eventually';
import { testAddress, type Major } from '../../support/servers';
import { StandIn } from '../../support/stand-in';
import { fill, OnlinePair, type Table } from './online-fixture';
import { SentChanges } from './sent-changes';

const TARGET = 17;
/** Nobody but a session that asks for more waits for the disk or for a standby. */
const SETTINGS = {
  wal_level: 'logical',
  fsync: false,
  synchronous_commit: 'local',
  synchronous_standby_names: 'nobody',
  max_prepared_transactions: 5,
};

/** What is committed asynchronously stays in memory. */
const SLOW_DISK = { wal_writer_delay: '10s' };

let source: StandIn;
let online: OnlinePair;
let sent: SentChanges;
let sessions: Client[];

async function setUp(major: Major, settings = {}): Promise<Table> {
  sessions = [];
  source = await StandIn.start(major, { ...SETTINGS, ...settings });
  online = await OnlinePair.create(major, TARGET);
  await online.pair.both('CREATE TABLE big (id int PRIMARY KEY, v text)');
  await fill(online.pair, 'big', 2000);
  sent = await SentChanges.since(online);
  await online.plan();
  const table = await online.table('big');
  expect(table.parts).toBeGreaterThan(2);
  return table;
}

afterEach(async () => {
  for (const session of sessions) await session.end().catch(() => undefined);
  await sent.drop();
  await online.drop();
  await source.remove();
});

interface Writer {
  client: Client;
  pid: number;
}

async function writer(): Promise<Writer> {
  const { host, port, user } = testAddress(online.pair.majors.source);
  const client = new Client({ host, port, user, database: online.pair.databases.source });
  client.on('error', () => undefined);
  sessions.push(client);
  await client.connect();
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { client, pid: rows[0]?.pid ?? 0 };
}

/** A row whose commit waits for a standby that never answers; `release` gives that up, and the row stays committed. */
async function writeAndWait(id: number): Promise<Writer & { release: () => Promise<void> }> {
  const { client, pid } = await writer();
  await client.query('SET synchronous_commit = on');
  const written = client.query('INSERT INTO big VALUES ($1)', [id]);
  await isSaid(`wait_event = 'SyncRep'`, pid);
  const release = async () => {
    await online.pair.sql('source', 'SELECT pg_cancel_backend($1)', [pid]);
    await written;
  };
  return { client, pid, release };
}

async function isSaid(condition: string, pid: number): Promise<void> {
  await eventually(condition, async () => {
    const rows = await online.pair.sql(
      'source',
      `SELECT FROM pg_stat_activity WHERE pid = $1 AND ${condition}`,
      [pid],
    );
    return rows.length === 1;
  });
}

async function copyAll(table: Table): Promise<void> {
  for (let part = 1; part <= table.parts; part += 1) await online.copyPart(table, part);
}

/** Those below 0, which were written by the sessions of a test. */
async function written(side: 'source' | 'target'): Promise<number[]> {
  const rows = await online.pair.sql<{ id: number }>(
    side,
    'SELECT id FROM big WHERE id < 0 ORDER BY id DESC',
  );
  return rows.map(({ id }) => id);
}

test.each([11, 18] as const)(
  'a commit that waits for a synchronous standby is in the copy or in the stream, %i',
  async (of) => {
    const table = await setUp(of);
    const before = await writeAndWait(-1);
    const keeper = online.keep(table);
    const isWaitedFor = (pid: number) => () =>
      Promise.resolve(keeper.said.at(-1)?.includes(`the transaction of process ${pid} `));
    await eventually('the snapshot to wait for the first', isWaitedFor(before.pid));
    const open = await writer();
    await open.client.query('BEGIN; INSERT INTO big VALUES (-2)');
    await before.release();
    await eventually('the snapshot to wait for the second', isWaitedFor(open.pid));
    await eventually('it to collect commits', async () => {
      const waiting = await online.pair.sql(
        'source',
        `SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted`,
      );
      return waiting.length === 1;
    });
    const meanwhile = await writeAndWait(-3);
    await open.client.query('COMMIT');
    await keeper.held;
    const after = await writeAndWait(-4);
    await copyAll(table);
    // nobody on the source sees the third yet, but its commit lies before the snapshot's LSN
    expect(await written('source')).toEqual([-1, -2]);
    expect(await written('target')).toEqual([-1, -2, -3]);
    await meanwhile.release();
    await after.release();
    expect(await sent.apply()).toEqual({ applied: 1, dropped: 3 });
    await online.expectEqual('public.big');
  },
);

test.each([11, 18] as const)(
  'no copy holds a commit that the source loses when it is killed, %i',
  async (of) => {
    const table = await setUp(of, SLOW_DISK);
    const { client } = await writer();
    await client.query('SET synchronous_commit = off');
    await client.query('INSERT INTO big VALUES (-1)');
    const [inMemory] = await online.pair.sql<{ is: boolean }>(
      'source',
      'SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() AS is',
    );
    expect(inMemory?.is).toBe(true);
    const keeper = online.keep(table);
    await keeper.held;
    await client.query('INSERT INTO big VALUES (-2)');
    await copyAll(table);
    await source.server.kill();
    expect(await keeper.ended).toMatchObject({ code: 'SnapshotLost' });
    source.server.configure({ wal_writer_delay: '200ms' });
    await source.server.start();
    expect(await written('source')).toEqual([-1]);
    expect(await written('target')).toEqual([-1]);
    await online.pair.sql('source', 'INSERT INTO big VALUES (-3)');
    expect(await online.keep(table).ended).toBe('returned');
    expect(await sent.apply()).toEqual({ applied: 1, dropped: 1 });
    await online.expectEqual('public.big');
  },
);

test('a transaction that was open before the snapshot and writes after it comes by the stream', async () => {
  const table = await setUp(15);
  const { client } = await writer();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM big');
  const prepared = await writer();
  await prepared.client.query('BEGIN; SELECT FROM big');
  await online.keep(table).held;
  await client.query('INSERT INTO big VALUES (-1); SAVEPOINT a; UPDATE big SET id = -2 WHERE id = 1');
  await prepared.client.query(
    `DELETE FROM big WHERE id = 2; INSERT INTO big VALUES (-3); PREPARE TRANSACTION 'open across the copy'`,
  );
  await online.copyPart(table, 1);
  await client.query(
    `RELEASE a; SAVEPOINT b; DELETE FROM big WHERE id = 3; ROLLBACK TO b; INSERT INTO big VALUES (-4)`,
  );
  for (let part = 2; part <= table.parts; part += 1) await online.copyPart(table, part);
  expect((await online.ledger())['big']).toMatchObject({ copied: table.parts });
  await client.query('INSERT INTO big VALUES (-5); COMMIT');
  await prepared.client.query(`COMMIT PREPARED 'open across the copy'`);
  expect(await written('target')).toEqual([]);
  expect(await sent.apply()).toEqual({ applied: 6, dropped: 0 });
  await online.expectEqual('public.big');
});
