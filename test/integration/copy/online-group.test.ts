import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { remainingLoad } from '../../../postgres/ledger';
import { fill, OnlinePair, PREFIX, waitsForLock } from './online-fixture';

const NAMES = ['public.a', 'public.b', 'public."C c"', 'public.nothing'];

let online: OnlinePair;

afterEach(async () => {
  await online.drop();
});

async function setUp(source: 11 | 15 | 18 = 15): Promise<void> {
  online = await OnlinePair.create(source, 17);
  await online.pair.both(
    `CREATE TABLE a (id int, v text); CREATE TABLE b (id int, v text); CREATE TABLE "C c" (id int, v text);
     CREATE TABLE nothing ()`,
  );
  await fill(online.pair, 'a', 150);
  await fill(online.pair, 'b', 100);
  await fill(online.pair, '"C c"', 50);
  await online.pair.sql('source', 'INSERT INTO nothing DEFAULT VALUES');
  await online.plan();
}

async function groupsLeft(): Promise<number[]> {
  const { groups } = await online.pair.session('target', (client) =>
    remainingLoad(client, { checksums: false }),
  );
  return groups.map((group) => group.tables);
}

test.each([11, 15, 18] as const)('a group is copied under one snapshot with one LSN, %i', async (major) => {
  await setUp(major);
  expect(await groupsLeft()).toEqual([4]);
  const said: string[] = [];
  const total = await online.copyGroup(1, { onProgress: ({ what }) => said.push(what) });
  expect(total).toMatchObject({ tables: 4, rows: 301 });
  expect(said).toContain('"public"."C c"');
  await online.expectEqual(...NAMES);
  const ledger = Object.values(await online.ledger());
  expect(new Set(ledger.map(({ lsn }) => lsn)).size).toBe(1);
  expect(ledger[0]?.lsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
  expect(await online.scopes()).toEqual([{ of: 'group 1', state: 'complete' }]);
  expect(await groupsLeft()).toEqual([]);
  expect(await online.copyGroup(1)).toEqual({ tables: 0, rows: 0, bytes: 0 });
});

/**
 * An attempt that stands still with its first table copied, until it is killed or the blocker ends. The first one shares no
 * transaction with the others, as if it were large.
 */
async function whileSecondTableWaits(work: () => Promise<void>): Promise<void> {
  await online.pair.sql(
    'target',
    `UPDATE flexlift.table_load SET estimated_bytes = 20 * 1024 ^ 2 WHERE table_name = 'a'`,
  );
  await withSession(17, online.pair.databases.target, async (blocker) => {
    await blocker.query('BEGIN; LOCK TABLE b IN SHARE MODE');
    await work();
    await blocker.query('ROLLBACK');
  });
}

test('a killed attempt leaves finished tables with their own LSN; the next copies the rest alone', async () => {
  await setUp();
  await whileSecondTableWaits(async () => {
    const killed = online.copyGroup(1).catch((error: unknown) => error);
    await eventually('the first table', async () => (await online.ledger())['a']?.copied === 1);
    const before = (await online.ledger())['a'];
    await online.terminate(`${PREFIX}copyGroup:1:1`);
    expect(await killed).toMatchObject({ code: 'ServerRestarting' });
    await online.pair.sql('source', `INSERT INTO a VALUES (-1, 'after'); INSERT INTO b VALUES (-1, 'after')`);
    expect(await groupsLeft()).toEqual([3]);
    expect(before).toMatchObject({ copied: 1 });
  });
  const before = (await online.ledger())['a'];
  expect(await online.copyGroup(1)).toMatchObject({ tables: 3, rows: 152 });
  const after = await online.ledger();
  expect(after['a']).toEqual(before);
  expect(after['b']).toMatchObject({ copied: 1, copies: 1 });
  const [order] = await online.pair.sql<{ later: boolean }>(
    'target',
    'SELECT $1::pg_lsn > $2::pg_lsn AS later',
    [after['b']?.lsn, after['a']?.lsn],
  );
  expect(order).toEqual({ later: true });
  await online.expectEqual('public.b', 'public."C c"', 'public.nothing');
  expect(await online.pair.sql('target', 'SELECT FROM a WHERE id < 0')).toEqual([]);
  expect((await online.scopes()).map(({ state }) => state)).toEqual(['dead', 'complete']);
});

test('a later attempt ends one that is still at work, on both sides', async () => {
  await setUp();
  await whileSecondTableWaits(async () => {
    const zombie = online.copyGroup(1).catch((error: unknown) => error);
    await eventually('the first table', async () => (await online.ledger())['a']?.copied === 1);
    const next = online.copyGroup(1).catch((error: unknown) => error);
    expect(await zombie).toMatchObject({ code: 'ServerRestarting' });
    await eventually('the next attempt to open its scope', async () => (await online.scopes()).length === 2);
    await online.terminate(`${PREFIX}copyGroup:1:2`);
    await next;
  });
});

test('who waits to truncate or drop a table of the group gets his way when it is copied', async () => {
  await setUp();
  let truncate: Promise<unknown> = Promise.resolve();
  let copying: Promise<unknown> = Promise.resolve();
  await whileSecondTableWaits(async () => {
    copying = online.copyGroup(1);
    await eventually('the first table', async () => (await online.ledger())['a']?.copied === 1);
    truncate = online.pair.sql('source', 'TRUNCATE "C c"');
    await waitsForLock(online.pair, '"C c"');
  });
  expect(await copying).toMatchObject({ tables: 4, rows: 301 });
  await truncate;
  expect(await online.pair.sql('target', 'SELECT count(*)::int FROM "C c"')).toEqual([{ count: 50 }]);
});

test('the counters of tables without a key are those from before their snapshot', async () => {
  online = await OnlinePair.create(15, 17);
  await online.pair.both(
    'CREATE TABLE log (id int, v text); CREATE TABLE keyed (id int PRIMARY KEY, v text)',
  );
  await online.pair.sql('source', `INSERT INTO log VALUES (1), (2), (3)`);
  await online.pair.sql('source', `UPDATE log SET v = 'x'; DELETE FROM log WHERE id = 2`);
  await online.plan({ log: 'append' });
  await online.copyGroup(1);
  const ledger = await online.ledger();
  expect(ledger['log']).toMatchObject({
    identity: 'append',
    counters: { updated: 3, deleted: 1, counting: 'on' },
  });
  expect(ledger['keyed']).toMatchObject({ identity: 'key', counters: null });
});
