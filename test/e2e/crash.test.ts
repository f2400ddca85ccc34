import type { TableReport } from '../../contract';
import { DEFAULT_LIMITS } from '../../contract';
import { untilActive } from '../support/active';
import { itInAll } from '../support/all';
import { useShopMigrations } from '../support/e2e';
import { testRequest, type MigrationHandle } from '../support/migration';
import { replay } from '../support/replay';
import { testAddress, withSession } from '../support/servers';
import { SMALL_PARTS } from '../support/shop-like';

const SOURCE = 14;
const TARGET = 17;
const LIMITS = { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, copiesAtOnce: 2 };

const shop = useShopMigrations(SOURCE, TARGET);

async function start(): Promise<{ handle: MigrationHandle; pool: string; migrationId: string }> {
  const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
    databases: [shop.database],
    limits: LIMITS,
  });
  return {
    handle: await shop.migrations.start(request),
    pool: request.pool,
    migrationId: request.migrationId,
  };
}

async function expectEqual(handle: MigrationHandle): Promise<TableReport[]> {
  const status = await handle.result();
  expect(status).toMatchObject({
    state: 'Succeeded',
    databases: [{ database: shop.database, state: 'Succeeded', differences: [] }],
  });
  await replay(shop.migrations, handle);
  const tables = status.databases[0]?.tables ?? [];
  expect(tables).toHaveLength(13);
  expect(tables.filter((table) => table.equal !== true)).toEqual([]);
  const count = await withSession(TARGET, shop.database, (client) =>
    client.query<{ n: string }>('SELECT count(*) AS n FROM big'),
  );
  expect(count.rows[0]?.n).toBe('60000');
  return tables;
}

describe('SIGKILL of the only worker', () => {
  itInAll.each([
    ...['createTargetDatabase', 'dumpSchema', 'runPreData', 'copyPart', 'copyGroup', 'checksumSourceTable'],
    ...['buildKeyIndex', 'buildIndex', 'runPostData', 'compareTables', 'release'],
  ])('during %s: the next worker ends it, equal', async (activity) => {
    const { handle, pool, migrationId } = await start();
    const first = shop.startWorker(pool);
    await untilActive(TARGET, migrationId, activity);
    await first.kill();
    shop.startWorker(pool);
    await expectEqual(handle);
  });
});

describe('one role dies alone', () => {
  it('a copy worker: the parts in flight are done again, no part is committed twice', async () => {
    const { handle, pool, migrationId } = await start();
    shop.startWorker(pool, ['control', 'stream']);
    const copier = shop.startWorker(pool, ['copy']);
    await untilActive(TARGET, migrationId, 'copyPart');
    await copier.kill();
    shop.startWorker(pool, ['copy']);
    const tables = await expectEqual(handle);
    expect(tables.map(({ copies }) => copies)).toEqual(tables.map(({ parts }) => parts));
    expect(Math.max(...tables.map(({ parts }) => parts))).toBeGreaterThan(3);
  });

  it('the keeper: its snapshot is replaced, and no table mixes two', async () => {
    const { handle, pool, migrationId } = await start();
    shop.startWorker(pool, ['control', 'copy']);
    const keeper = shop.startWorker(pool, ['stream']);
    await untilActive(TARGET, migrationId, 'copyPart');
    await keeper.kill();
    shop.startWorker(pool, ['stream']);
    await expectEqual(handle);
  });
});
