import { setTimeout as pause } from 'node:timers/promises';
import { ABORT_CUTOVER_UPDATE, DEFAULT_LIMITS, PAUSE_UPDATE, RESUME_UPDATE } from '../../contract';
import { useShopMigrations } from '../support/e2e';
import { eventually } from '../support/eventually';
import { testRequest, TEST_TIMEOUTS, type MigrationHandle } from '../support/migration';
import { contentOf, cutOver, leftOnSource, refusalOf, untilReplication } from '../support/online';
import { replay } from '../support/replay';
import { testAddress, withSession } from '../support/servers';
import { SMALL_PARTS } from '../support/shop-like';
import { Writers } from '../support/writers';

const SOURCE = 15;
const TARGET = 17;
const LIMITS = { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, groupBytes: SMALL_PARTS, copiesAtOnce: 2 };

const shop = useShopMigrations(SOURCE, TARGET);
const writers: Writers[] = [];

afterEach(async () => {
  await Promise.all(writers.splice(0).map((each) => each.stop()));
});

interface Online {
  handle: MigrationHandle;
  pool: string;
  migrationId: string;
  writer: Writers;
}

async function start(): Promise<Online> {
  const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
    mode: 'Online',
    databases: [shop.database],
    limits: LIMITS,
    timeouts: { ...TEST_TIMEOUTS, segment: 4_000, proof: 3_000, watch: 1_000 },
  });
  const writer = Writers.start(SOURCE, shop.database);
  writers.push(writer);
  const handle = await shop.migrations.start(request);
  return { handle, pool: request.pool, migrationId: request.migrationId, writer };
}

async function expectReleased({ handle, migrationId, writer }: Online): Promise<void> {
  await writer.stop();
  const status = await handle.result();
  expect(status).toMatchObject({
    state: 'Succeeded',
    databases: [{ state: 'Succeeded', differences: [], cutover: { state: 'Released' }, sourceObjects: [] }],
  });
  expect(writer.committed).toBeGreaterThan(50);
  expect(await contentOf(TARGET, shop.database)).toEqual(await contentOf(SOURCE, shop.database));
  await replay(shop.migrations, handle);
  const left = await leftOnSource(SOURCE, shop.database, migrationId);
  expect(left.sort()).toEqual([
    `publication flexlift_${migrationId}_fence`,
    'setting default_transaction_read_only=on',
  ]);
  await unfence(migrationId);
}

/** By hand, so that the next test finds its source as it was. */
async function unfence(migrationId: string): Promise<void> {
  await withSession(SOURCE, shop.database, async (client) => {
    await client.query('SET default_transaction_read_only = off');
    await client.query(`ALTER DATABASE "${shop.database}" RESET default_transaction_read_only`);
    await client.query(`DROP PUBLICATION flexlift_${migrationId}_fence`);
  });
}

describe('an online migration of a database that is written to all the time', () => {
  it('ends equal, and leaves only the fence on the source', async () => {
    const online = await start();
    shop.startWorker(online.pool);
    expect(await refusalOf(cutOver(online.handle))).toMatch(/not ready|validated/);
    await untilReplication(online.handle, 'ReadyForCutover');
    const database = await cutOver(online.handle);
    expect(database.cutover).toMatchObject({ attempt: 1, state: 'Released' });
    expect(database.cutover?.fencedSeconds).toBeGreaterThan(0);
    await expectReleased(online);
  });

  it('survives the death of its worker again and again', async () => {
    const online = await start();
    for (let life = 0; life < 6; life++) {
      const worker = shop.startWorker(online.pool);
      await pause(2_500 + life * 300);
      await worker.kill();
    }
    shop.startWorker(online.pool);
    await untilReplication(online.handle, 'ReadyForCutover');
    await cutOver(online.handle);
    await expectReleased(online);
  });

  it('can be paused and resumed', async () => {
    const online = await start();
    shop.startWorker(online.pool);
    await untilReplication(online.handle, 'ReadyForCutover');
    await online.handle.executeUpdate(PAUSE_UPDATE, { args: [{}] });
    await untilReplication(online.handle, 'Paused');
    expect(await refusalOf(cutOver(online.handle))).toMatch(/Paused/);
    await online.handle.executeUpdate(RESUME_UPDATE, { args: [{}] });
    await untilReplication(online.handle, 'ReadyForCutover');
    await cutOver(online.handle);
    await expectReleased(online);
  });

  it('can be called off in its cutover, and cut over again', async () => {
    const online = await start();
    shop.startWorker(online.pool);
    await untilReplication(online.handle, 'ReadyForCutover');
    for (const delay of [10, 120, 250, 400, 600, 900]) {
      const cutover = cutOver(online.handle);
      await pause(delay);
      await online.handle.executeUpdate(ABORT_CUTOVER_UPDATE, { args: [{}] });
      expect((await cutover).cutover).toMatchObject({ state: 'CalledOff' });
      const before = online.writer.committed;
      await eventually('the application writes again', () =>
        Promise.resolve(online.writer.committed > before + 5),
      );
      await untilReplication(online.handle, 'ReadyForCutover');
    }
    await cutOver(online.handle);
    await expectReleased(online);
  });
});
