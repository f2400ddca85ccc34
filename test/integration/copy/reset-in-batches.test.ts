import type { Client } from 'pg';
import { resetAllForRecopy } from '../../../postgres/copy';
import { refuseOpenScope, resetInBatches } from '../../../postgres/copy/reset-in-batches';
import { WITHOUT_SLOT } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import { StandIn } from '../../support/stand-in';
import { identity } from './fixture';
import { OnlinePair } from './online-fixture';

const TARGET = 17;
/** Four locks each to empty them, and the server has room for some 600. */
const TABLES = 400;
let target: StandIn;
let online: OnlinePair;

beforeAll(async () => {
  target = await StandIn.start(TARGET, { max_locks_per_transaction: 10, max_connections: 20 });
});

afterAll(async () => {
  await target.remove();
});

beforeEach(async () => {
  online = await OnlinePair.create(15, TARGET);
  for (let first = 1; first <= TABLES; first += 50) {
    const names = Array.from({ length: 50 }, (_, index) => `t${first + index}`);
    await online.pair.both(
      names.map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY, v text)`).join(';'),
    );
    await online.pair.sql('target', names.map((name) => `INSERT INTO ${name} VALUES (1, 'x')`).join(';'));
  }
  await online.plan();
  await online.stream({ replicaRole: true });
  await online.pair.sql('target', 'UPDATE flexlift.part SET copied_at = now()');
});

afterEach(async () => {
  await online.drop();
});

/** How many tables hold a row, and how many parts are taken for copied. */
async function filled(): Promise<{ tables: number; parts: number }> {
  let tables = 0;
  for (let first = 1; first <= TABLES; first += 50) {
    const names = Array.from({ length: 50 }, (_, index) => `SELECT id FROM t${first + index}`);
    const rows = await online.pair.sql('target', names.join(' UNION ALL '));
    tables += rows.length;
  }
  const [row] = await online.pair.sql<{ count: number }>(
    'target',
    'SELECT count(copied_at)::int AS count FROM flexlift.part',
  );
  return { tables, parts: row?.count ?? -1 };
}

test('more tables are emptied than the target has locks for in one transaction', async () => {
  await online.pair.session('target', (target) => resetAllForRecopy({ target, identity, order: 'recopy 1' }));
  expect(await filled()).toEqual({ tables: 0, parts: 0 });
});

test('nothing is emptied behind a scope that is open, nor for an order that another attempt has done', async () => {
  const tables = await online.tables();
  const reset = (isWanted: (target: Client) => Promise<boolean>) =>
    online.pair.session('target', (target) =>
      resetInBatches({ target, identity, tables, isWanted: () => isWanted(target) }),
    );
  await reset(() => Promise.resolve(false));
  await online.pair.withScope(async () => {
    await expect(reset(refuseOpenScope)).rejects.toMatchObject({ code: 'SnapshotLost' });
  });
  expect(await filled()).toEqual({ tables: TABLES, parts: TABLES });
});

test('a recopy whose worker dies between two batches is not taken for done, and is done by the next attempt', async () => {
  const last = await online.table(`t${TABLES}`);
  const oids = (await online.tables()).map(({ oid }) => oid);
  expect(last.oid).toBe(Math.max(...oids));
  const resetAll = () =>
    online.pair.session('target', (target) => resetAllForRecopy({ target, identity, order: 'recopy 1' }));
  await online.pair.session(
    'target',
    async (blocker) => {
      await blocker.query(`BEGIN; LOCK TABLE public.${last.name} IN ACCESS SHARE MODE`);
      const attempt = resetAll().catch((error: unknown) => error);
      await eventually('the last batch to wait', async () => {
        const waiting = await online.pair.sql(
          'target',
          `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted AND relation = '${last.name}'::regclass`,
        );
        return waiting.length > 0;
      });
      expect(await attempt).toBeInstanceOf(Error);
    },
    'the application',
  );
  const between = await filled();
  expect(between.tables).toBeGreaterThan(0);
  expect(between.tables).toBeLessThan(TABLES);
  expect(between.parts).toBe(between.tables);
  const position = async () => await online.pair.sql('target', 'SELECT lsn FROM flexlift.stream');
  expect(await position()).toEqual([{ lsn: WITHOUT_SLOT.emptying }]);
  await resetAll();
  expect(await filled()).toEqual({ tables: 0, parts: 0 });
  expect(await position()).toEqual([{ lsn: WITHOUT_SLOT.emptied }]);
});

test('a reset waits for the part that is being copied before it locks a table, as the copy locks them', async () => {
  const table = await online.table('t1');
  await online.pair.session(
    'target',
    async (worker) => {
      await worker.query('BEGIN');
      await worker.query('SELECT FROM flexlift.part WHERE table_oid = $1 FOR UPDATE', [table.oid]);
      const reset = online.pair.session('target', (target) =>
        resetInBatches({ target, identity, tables: [table], isWanted: () => Promise.resolve(true) }),
      );
      await eventually('the reset to wait', async () => {
        const waiting = await online.pair.sql('target', 'SELECT pid FROM pg_locks WHERE NOT granted');
        return waiting.length > 0;
      });
      await worker.query('LOCK TABLE public.t1 IN ROW EXCLUSIVE MODE NOWAIT');
      await worker.query('ROLLBACK');
      await reset;
    },
    'another worker',
  );
  expect(await filled()).toEqual({ tables: TABLES - 1, parts: TABLES - 1 });
});
