import { resetAllForRecopy, resetTableForRecopy } from '../../../postgres/copy';
import { refuseUnfitTables } from '../../../activities/cutover-refusals';
import { checkRecopy } from '../../../postgres/prove';
import { remainingLoad, type StreamIdentity } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { identity } from './fixture';
import { fill, OnlinePair } from './online-fixture';

let online: OnlinePair;

beforeEach(async () => {
  online = await OnlinePair.create(15, 17);
});

afterEach(async () => {
  await online.drop();
});

/** A large table, a small one it is referenced by, and one that references itself; all of them copied. */
async function copied(identities: Record<string, StreamIdentity> = {}): Promise<void> {
  await online.pair.both(
    `CREATE TABLE customer (id int PRIMARY KEY, v text); CREATE TABLE orders (id int PRIMARY KEY, v text);
     CREATE TABLE tree (id int PRIMARY KEY, v text, parent int)`,
  );
  await fill(online.pair, 'customer', 2000);
  await fill(online.pair, 'orders', 100);
  await fill(online.pair, 'tree', 10);
  await online.pair.sql('source', `UPDATE tree SET parent = 11 - id`);
  await online.plan(identities);
  await online.stream({ replicaRole: true });
  await copyCustomers();
  await online.copyGroup(1);
}

async function copyCustomers(): Promise<void> {
  const table = await online.table('customer');
  expect(table.parts).toBeGreaterThan(2);
  const keeper = online.keep(table);
  await keeper.held;
  for (let part = 1; part <= table.parts; part += 1) await online.copyPart(table, part);
  keeper.controller.abort(new Error('copied'));
  await keeper.ended;
}

/** What replication would have left of each table. */
async function traces(): Promise<void> {
  for (const name of ['customer', 'orders']) {
    const { oid } = await online.table(name);
    await online.pair.sql(
      'target',
      `INSERT INTO flexlift.spool (table_oid, commit_lsn, relation, message) VALUES (${oid}, '0/1', '', '');
       INSERT INTO flexlift.changed_rows VALUES (${oid}, '0/1', '[["1"]]');
       INSERT INTO flexlift.proof VALUES (${oid}, '0/1', 1, '1');
       UPDATE flexlift.table_load SET stream_state = 'stopped', stopped_by = '{}' WHERE table_oid = ${oid}`,
    );
  }
}

async function tracesOf(name: string): Promise<number> {
  const { oid } = await online.table(name);
  const [row] = await online.pair.sql<{ count: number }>(
    'target',
    `SELECT (SELECT count(*) FROM flexlift.spool WHERE table_oid = ${oid})::int
          + (SELECT count(*) FROM flexlift.changed_rows WHERE table_oid = ${oid})::int
          + (SELECT count(*) FROM flexlift.proof WHERE table_oid = ${oid})::int AS count`,
  );
  return row?.count ?? -1;
}

async function reset(name: string): Promise<void> {
  const { oid } = await online.table(name);
  await online.pair.session('target', (target) => resetTableForRecopy({ target, identity, tableOid: oid }));
}

async function left(): Promise<{ large: string[]; groups: number[] }> {
  const { largeTables, groups } = await online.pair.session('target', (client) =>
    remainingLoad(client, { checksums: false }),
  );
  return { large: largeTables.map(({ name }) => name), groups: groups.map(({ tables }) => tables) };
}

/** Foreign keys stand from the end of the first load on; a row that breaks one is on its way in the stream. */
async function addForeignKeys(): Promise<void> {
  await online.pair.sql(
    'target',
    `ALTER TABLE orders ADD FOREIGN KEY (id) REFERENCES customer ON DELETE CASCADE;
     ALTER TABLE tree ADD FOREIGN KEY (parent) REFERENCES tree`,
  );
}

test('a large table that others reference is copied anew by itself', async () => {
  await copied();
  await addForeignKeys();
  await traces();
  await online.pair.sql(
    'source',
    `INSERT INTO customer VALUES (-1, 'new'); DELETE FROM customer WHERE id = 7`,
  );
  const before = await online.ledger();
  await reset('customer');
  expect(await online.pair.sql('target', 'SELECT FROM customer')).toEqual([]);
  await online.expectEqual('public.orders');
  expect([await tracesOf('customer'), await tracesOf('orders')]).toEqual([0, 3]);
  const after = await online.ledger();
  expect(after['customer']).toMatchObject({ lsn: null, copied: 0, state: 'recopying' });
  expect(after['orders']).toEqual(before['orders']);
  expect(await left()).toEqual({ large: ['"public"."customer"'], groups: [] });

  await copyCustomers();
  await online.expectEqual('public.customer', 'public.orders');
  expect((await online.ledger())['customer']).toMatchObject({
    copied: before['customer']?.parts,
    state: 'recopying',
  });
  expect(await left()).toEqual({ large: [], groups: [] });
});

test('a keeper that dies in the second copy leaves the spool', async () => {
  await copied();
  await addForeignKeys();
  await reset('customer');
  const table = await online.table('customer');
  const first = online.keep(table);
  await first.held;
  await online.copyPart(table, 1);
  await traces();
  await online.killKeeper(first);
  await online.pair.sql('source', `DELETE FROM customer WHERE id < 10`);
  await copyCustomers();
  await online.expectEqual('public.customer');
  expect(await tracesOf('customer')).toBe(3);
});

test('a small table is copied anew alone in its group, referenced or referencing itself', async () => {
  await copied();
  await addForeignKeys();
  await online.pair.sql(
    'source',
    `INSERT INTO tree VALUES (99, 'x', 5); INSERT INTO orders VALUES (5000, 'its customer comes later')`,
  );
  for (const name of ['tree', 'orders']) {
    const before = await online.ledger();
    await reset(name);
    expect(await left()).toEqual({ large: [], groups: [1] });
    expect(await online.copyGroup(1)).toMatchObject({ tables: 1 });
    const after = await online.ledger();
    expect(after[name]).toMatchObject({ copied: 1, copies: 2, state: 'recopying' });
    expect({ ...after, [name]: 0 }).toEqual({ ...before, [name]: 0 });
  }
  await online.expectEqual('public.tree', 'public.orders', 'public.customer');
});

test('a table that is not replicated has nothing to catch up with: it is done with its copy', async () => {
  await copied({ tree: 'late' });
  const refusal = () => online.pair.session('target', refuseUnfitTables).catch((error: unknown) => error);
  await reset('tree');
  expect(await refusal()).toMatchObject({
    code: 'CutoverRefused',
    message: expect.stringMatching(/1 tables are not copied.*"tree"/) as string,
  });
  expect(await online.copyGroup(1)).toMatchObject({ tables: 1 });
  expect((await online.ledger())['tree']).toMatchObject({ copied: 1, copies: 2, state: 'applied' });
  expect(await refusal()).toBeUndefined();
});

test('a table of a group is copied alone where another of it cannot be', async () => {
  await copied();
  await reset('tree');
  await reset('orders');
  await online.pair.sql('source', 'DROP TABLE tree');
  await expect(online.copyGroup(1)).rejects.toMatchObject({ code: 'SchemaDrift' });
  const { oid: tableOid } = await online.table('orders');
  const planned = () =>
    online.pair.session('target', (client) => remainingLoad(client, { checksums: false, tableOid }));
  expect(await planned()).toMatchObject({ largeTables: [], groups: [{ number: 1, tables: 1 }] });
  expect(await online.copyGroup(1, { tableOid })).toMatchObject({ tables: 1 });
  expect(await planned()).toMatchObject({ largeTables: [], groups: [] });
  await online.expectEqual('public.orders');
  expect(await left()).toEqual({ large: [], groups: [1] });
});

test('a group that is being copied loses its scope to a table that is to be copied anew', async () => {
  await copied();
  await reset('orders');
  await reset('tree');
  await withSession(17, online.pair.databases.target, async (blocker) => {
    await blocker.query('BEGIN; LOCK TABLE orders IN SHARE MODE');
    const waiting = async (count: number) =>
      await eventually(`${count} to wait`, async () => {
        const rows = await online.pair.sql(
          'target',
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
        );
        return rows.length === count;
      });
    const copying = online.copyGroup(1).catch((error: unknown) => error);
    await waiting(1);
    const resetting = reset('tree');
    await waiting(2);
    await blocker.query('ROLLBACK');
    await resetting;
    await copying;
  });
  expect(await online.ledger()).toMatchObject({ orders: { copied: 1 }, tree: { copied: 0, lsn: null } });
  expect((await online.scopes()).at(-1)?.state).not.toBe('open');
  expect(await online.copyGroup(1)).toMatchObject({ tables: 1 });
  await online.expectEqual('public.tree', 'public.orders');
});

test('it waits for the batch that is being applied', async () => {
  await copied();
  await withSession(17, online.pair.databases.target, async (applier) => {
    await applier.query(`BEGIN; UPDATE flexlift.stream SET lsn = '0/2'`);
    let done = false;
    const resetting = reset('customer').then(() => (done = true));
    await eventually('it to wait', async () => {
      const waiting = await online.pair.sql(
        'target',
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return waiting.length === 1;
    });
    expect(done).toBe(false);
    await applier.query('COMMIT');
    await resetting;
  });
  expect(await online.pair.sql('target', 'SELECT FROM customer')).toEqual([]);
});

test('it is refused while the table has another name or other columns on the two sides', async () => {
  await copied();
  const check = (tableOid?: number) =>
    online.pair.session('source', (source) =>
      online.pair.session('target', (target) => checkRecopy({ source, target, tableOid })),
    );
  const { oid } = await online.table('orders');
  for (const [change, undo, sentence] of [
    [
      'ALTER TABLE orders RENAME TO "Or""ders"',
      'ALTER TABLE "Or""ders" RENAME TO orders',
      /renamed to "public"."Or""ders"/,
    ],
    ['ALTER TABLE orders ALTER v TYPE varchar(999)', 'ALTER TABLE orders ALTER v TYPE text', /type: source/],
    ['ALTER TABLE orders ADD extra int', 'ALTER TABLE orders DROP extra', /missing on the target/],
    ['DROP TABLE orders', '', /dropped on the source/],
  ] as const) {
    await check();
    await online.pair.sql('source', change);
    for (const tableOid of [oid, undefined]) {
      await expect(check(tableOid)).rejects.toMatchObject({
        code: 'SchemaDrift',
        fields: {
          object: expect.stringContaining('"public"."orders"') as string,
          sentence: expect.stringMatching(sentence) as string,
          remedy: expect.stringMatching(/same change on the target.*accept-drift/) as string,
        },
      });
    }
    await check((await online.table('tree')).oid);
    await online.pair.sql('source', undo);
  }
});

/** As a new slot does it. */
async function beginStream(lsn = '0/2'): Promise<void> {
  await online.pair.sql('target', 'UPDATE flexlift.stream SET lsn = $1', [lsn]);
}

test('a late attempt at a recopy of all tables resets nothing any more', async () => {
  await copied();
  const resetAll = (key: string) =>
    online.pair.session('target', (target) => resetAllForRecopy({ target, identity, order: key }));
  await resetAll('run 1: recopy 1');
  await beginStream();
  await copyCustomers();
  await resetAll('run 1: recopy 1');
  expect(await left()).toEqual({ large: [], groups: [2] });
  await resetAll('run 1: recopy 2');
  expect(await left()).toEqual({ large: ['"public"."customer"'], groups: [2] });
});

test('all tables are copied anew', async () => {
  await copied();
  await addForeignKeys();
  await traces();
  await online.pair.sql('source', `INSERT INTO tree VALUES (98, 'x', 5)`);
  await online.pair.session('target', (target) => resetAllForRecopy({ target, identity }));
  expect([await tracesOf('customer'), await tracesOf('orders')]).toEqual([0, 0]);
  for (const state of Object.values(await online.ledger())) {
    expect(state).toMatchObject({ lsn: null, copied: 0, state: 'applied' });
  }
  expect(await left()).toEqual({ large: ['"public"."customer"'], groups: [2] });
  // its snapshot may be older than the slot that is still to be made
  const early = online.keep(await online.table('customer'));
  await expect(early.held).rejects.toMatchObject({ code: 'SnapshotLost' });
  await expect(online.copyGroup(1)).rejects.toMatchObject({ code: 'SnapshotLost' });
  await beginStream('FFFFFFFF/0');
  await expect(online.copyGroup(1)).rejects.toMatchObject({ code: 'SnapshotLost' });
  await beginStream();
  await copyCustomers();
  await online.copyGroup(1);
  await online.expectEqual('public.tree', 'public.orders', 'public.customer');
});
