import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer } from '../../../embedded';
import { resetAllForRecopy } from '../../../postgres/copy';
import { resetInBatches } from '../../../postgres/copy/reset-in-batches';
import { createOwnServer } from '../../support/own-server';
import { testAddress, useServerAt } from '../../support/servers';
import { identity } from './fixture';
import { OnlinePair } from './online-fixture';

const TARGET = 17;
/** Four locks each to empty them, and the server has room for some 600. */
const TABLES = 400;
const { port: shared } = testAddress(TARGET);
let root: string;
let server: PostgresServer;
let online: OnlinePair;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-batches-'));
  chmodSync(root, 0o711);
  server = await createOwnServer({
    major: TARGET,
    directory: join(root, 'target'),
    settings: { max_locks_per_transaction: 10, max_connections: 20 },
  });
  await server.start();
  useServerAt(TARGET, server.port);
});

afterAll(async () => {
  useServerAt(TARGET, shared);
  await server.remove();
  rmSync(root, { recursive: true, force: true });
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
  const reset = (isOver?: () => Promise<boolean>) =>
    online.pair.session('target', (target) => resetInBatches({ target, identity, tables, isOver }));
  await reset(() => Promise.resolve(true));
  await online.pair.withScope(async () => {
    await expect(reset()).rejects.toMatchObject({ code: 'SnapshotLost' });
  });
  expect(await filled()).toEqual({ tables: TABLES, parts: TABLES });
});

test('batches that were committed before the worker died stay so, and the order goes on', async () => {
  const tables = await online.tables();
  let batches = 0;
  const dies = () => {
    batches += 1;
    return batches === 3 ? Promise.reject(new Error('killed')) : Promise.resolve(false);
  };
  const attempt = online.pair.session('target', (target) =>
    resetInBatches({ target, identity, tables, isOver: dies }),
  );
  await expect(attempt).rejects.toThrow('killed');
  const between = await filled();
  expect(between.tables).toBeGreaterThan(0);
  expect(between.tables).toBeLessThan(TABLES);
  expect(between.parts).toBe(between.tables);
  await online.pair.session('target', (target) => resetAllForRecopy({ target, identity, order: 'recopy 1' }));
  expect(await filled()).toEqual({ tables: 0, parts: 0 });
});
