import { remainingLoad, withLedger } from '../../../postgres/ledger';
import { completeScope, currentScope } from '../../../postgres/copy';
import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { identity } from './fixture';
import { fill, OnlinePair, PREFIX, waitsForLock, type Table } from './online-fixture';

let online: OnlinePair;

beforeEach(async () => {
  online = await OnlinePair.create(15, 17);
  await online.pair.both(
    'CREATE TABLE big (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY, v text)',
  );
  await fill(online.pair, 'big', 2000);
  await fill(online.pair, 'other', 2000);
});

afterEach(async () => {
  await online.drop();
});

async function planned(): Promise<{ big: Table; other: Table }> {
  await online.plan();
  const [big, other] = [await online.table('big'), await online.table('other')];
  expect(big.parts).toBeGreaterThan(2);
  expect(big.group).toBeNull();
  return { big, other };
}

async function copyAll(table: Table): Promise<void> {
  for (let part = 1; part <= table.parts; part += 1) await online.copyPart(table, part);
}

/** How many parts of each table a plan would copy. */
async function partsLeft(): Promise<Record<string, number>> {
  const { largeTables } = await online.pair.session('target', (target) =>
    remainingLoad(target, { checksums: false }),
  );
  return Object.fromEntries(largeTables.map(({ name, parts }) => [name, parts.length]));
}

test('each large table has a scope, a lock and an LSN of its own; nothing of a slot stays', async () => {
  const { big, other } = await planned();
  const first = online.keep(big);
  const scope = await first.held;
  await eventually('its slot to be gone', async () => (await online.slots()).length === 0);
  const locked = await online.pair.sql(
    'source',
    `SELECT DISTINCT relation::regclass::text AS name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.mode = 'AccessShareLock' AND relation >= 16384 AND a.application_name = $1`,
    [first.application],
  );
  expect(locked).toEqual([{ name: 'big' }]);
  await online.pair.sql(
    'source',
    `INSERT INTO big VALUES (-1, 'after'); INSERT INTO other VALUES (-1, 'before')`,
  );
  await online.keep(other).held;
  await Promise.all([copyAll(big), copyAll(other)]);
  expect(await online.pair.sql('target', 'SELECT count(*)::int, min(id) FROM big')).toEqual([
    { count: 2000, min: 1 },
  ]);
  await online.expectEqual('public.other');

  const ledger = await online.ledger();
  const [lsns] = await online.pair.sql<{ later: boolean; same: boolean }>(
    'target',
    `SELECT $1::pg_lsn < $2::pg_lsn AS later,
            (SELECT bool_and(s.lsn = t.copy_lsn) FROM flexlift.scope s JOIN flexlift.table_load t USING (table_oid)) AS same`,
    [ledger['big']?.lsn, ledger['other']?.lsn],
  );
  expect(lsns).toEqual({ later: true, same: true });
  const completion = await online.pair.session('target', (target) =>
    completeScope({ target, identity, scope: scope.scope }),
  );
  expect(completion).toEqual({ complete: true, tables: [], largeObjectBatches: [] });
  expect(await online.scopes()).toEqual([
    { of: 'big', state: 'complete' },
    { of: 'other', state: 'open' },
  ]);
  expect(
    await online.pair.session('target', (client) => currentScope(client, identity, { tableOid: big.oid })),
  ).toBeUndefined();
});

test.each([
  ['TRUNCATE', 'TRUNCATE big'],
  ['ALTER TABLE', 'ALTER TABLE big ADD COLUMN more int; ALTER TABLE big DROP COLUMN more'],
])(
  'a writing transaction that comes to %s while its end is waited for gets its way',
  async (_, statement) => {
    const { big } = await planned();
    await withSession(15, online.pair.databases.source, async (application) => {
      await application.query(`BEGIN; INSERT INTO other VALUES (-1, 'written')`);
      const keeper = online.keep(big);
      await eventually('the slot to wait', () =>
        Promise.resolve(keeper.said.some((what) => /the transaction of process \d+ in database/.test(what))),
      );
      await application.query(`SET LOCAL statement_timeout = '10s'`);
      await application.query(statement);
      expect(keeper.said).toContain('making way for an exclusive lock on "public"."big"');
      await application.query('INSERT INTO big VALUES (-7)');
      await application.query('COMMIT');
      await keeper.held;
    });
    await copyAll(big);
    await online.expectEqual('public.big');
  },
);

test('a keeper killed in the middle costs its table, and nothing of any other', async () => {
  const { big, other } = await planned();
  const first = online.keep(big);
  const lost = await first.held;
  const beside = online.keep(other);
  const scope = await beside.held;
  await online.copyPart(big, 1);
  await online.copyPart(big, 2);
  await online.copyPart(other, 1);
  const before = await online.ledger();
  expect(await partsLeft()).toEqual({ '"public"."big"': big.parts, '"public"."other"': other.parts });
  // a part of the other table is in flight
  const writing = online.pair.session(
    'target',
    async (target) => {
      await withLedger(target, identity, async () => {
        await target.query('SELECT FROM flexlift.scope WHERE scope = $1 FOR SHARE', [scope.scope]);
        await target.query('LOCK TABLE public.other IN ROW EXCLUSIVE MODE; SELECT pg_sleep(4)');
      });
    },
    `${PREFIX}copyPart:beside:1`,
  );
  // and one of the dead keeper's
  const zombie = online.pair
    .session(
      'target',
      (target) =>
        withLedger(target, identity, async () => {
          await target.query('SELECT FROM flexlift.scope WHERE scope = $1 FOR SHARE', [lost.scope]);
          await target.query('LOCK TABLE public.big IN ROW EXCLUSIVE MODE; SELECT pg_sleep(30)');
        }),
      `${PREFIX}copyPart:zombie:1`,
    )
    .catch((error: unknown) => error);
  await eventually('both to have their locks', async () => {
    const held = await online.pair.sql(
      'target',
      `SELECT FROM pg_locks WHERE mode = 'RowExclusiveLock' AND relation IN ('big'::regclass, 'other'::regclass)`,
    );
    return held.length === 2;
  });
  await online.killKeeper(first);
  expect(await first.ended).toMatchObject({ code: 'SnapshotLost' });
  await online.pair.sql('source', `INSERT INTO big VALUES (-1, 'later'); DELETE FROM big WHERE id = 1`);

  await online.keep(big).held;
  expect(await zombie).toMatchObject({ code: 'ServerRestarting' });
  await writing;
  const after = await online.ledger();
  expect(after['big']).toMatchObject({ copied: 0, copies: 2 });
  expect(await online.pair.sql('target', 'SELECT FROM big')).toEqual([]);
  expect(after['other']).toEqual(before['other']);
  expect(after['big']?.lsn).not.toBe(before['big']?.lsn);
  expect(await online.scopes()).toEqual([
    { of: 'big', state: 'dead' },
    { of: 'other', state: 'open' },
    { of: 'big', state: 'open' },
  ]);
  await copyAll(big);
  await copyAll(other);
  await online.expectEqual('public.big', 'public.other');
  expect((await online.ledger())['other']).toMatchObject({ copies: other.parts });
});

test('a keeper killed after the last part costs nothing', async () => {
  const { big } = await planned();
  const keeper = online.keep(big);
  await keeper.held;
  await copyAll(big);
  const before = await online.ledger();
  await online.killKeeper(keeper);
  expect(await online.keep(big).ended).toBe('returned');
  expect(await online.ledger()).toEqual(before);
  expect(await online.scopes()).toEqual([{ of: 'big', state: 'complete' }]);
});

test('a part whose completion went unreported is found done where its keeper has left', async () => {
  const { big, other } = await planned();
  const keeper = online.keep(big);
  await keeper.held;
  await copyAll(big);
  await online.killKeeper(keeper);
  expect(await online.keep(big).ended).toBe('returned');
  const [copied] = await online.pair.sql(
    'target',
    `SELECT 0 AS tables, rows::int, bytes::int, scope FROM flexlift.part WHERE table_oid = ${big.oid} AND part = 2`,
  );
  expect(await online.retryPart(big, 2)).toEqual(copied);

  // what was copied under a dead scope will be reset: the next keeper is waited for
  const lost = online.keep(other);
  await lost.held;
  await online.copyPart(other, 2);
  await online.killKeeper(lost);
  const retried = online.retryPart(other, 2);
  const { scope } = await online.keep(other).held;
  expect(await retried).toMatchObject({ scope });
});

test.each([
  'TRUNCATE big',
  'CLUSTER big USING big_pkey',
  'VACUUM FULL big',
  'ALTER TABLE big ALTER COLUMN id TYPE bigint',
])(
  'what is left of a table that somebody waits to lock for %s is copied by its keeper, who makes way then',
  async (statement) => {
    const { big } = await planned();
    const keeper = online.keep(big);
    await keeper.held;
    await online.copyPart(big, 1);
    const waiting = online.pair.sql('source', statement);
    await waitsForLock(online.pair, 'big');
    expect(await keeper.ended).toBe('returned');
    await waiting;
    expect((await online.ledger())['big']).toMatchObject({ copied: big.parts });
    expect(await online.scopes()).toEqual([{ of: 'big', state: 'complete' }]);
    expect(
      await online.pair.sql('target', 'SELECT count(*)::int, count(DISTINCT id)::int AS ids FROM big'),
    ).toEqual([{ count: 2000, ids: 2000 }]);
    expect(await online.retryPart(big, big.parts)).toMatchObject({ tables: 0 });
  },
);

test('a table that was dropped or renamed since the plan is named', async () => {
  const { big, other } = await planned();
  await online.pair.sql('source', 'DROP TABLE big; ALTER TABLE other RENAME TO "o 2"');
  for (const table of [big, other]) {
    expect(await online.keep(table).ended).toMatchObject({
      code: 'SchemaDrift',
      message: expect.stringContaining(`"public"."${table.name}"`) as string,
    });
  }
});

test('a slot that cannot be made is said, and the lock is let go', async () => {
  const { big } = await planned();
  const keeper = online.keep(big);
  await withSession(15, online.pair.databases.source, async (application) => {
    await application.query(`BEGIN; INSERT INTO other VALUES (-1, 'x')`);
    await eventually('the slot to wait', () =>
      Promise.resolve(keeper.said.some((what) => /the transaction of process \d+ in database/.test(what))),
    );
    const reason = new Error('let go');
    keeper.controller.abort(reason);
    expect(await keeper.ended).toBe(reason);
    await eventually('locks, sessions and slots to be gone', async () => {
      const left = await online.pair.sql(
        'source',
        'SELECT FROM pg_stat_activity WHERE application_name = $1',
        [keeper.application],
      );
      return left.length === 0 && (await online.slots()).length === 0;
    });
    await application.query('ROLLBACK');
  });
});
