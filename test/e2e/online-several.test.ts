import {
  CUTOVER_UPDATE,
  STATUS_QUERY,
  type CutoverRequest,
  type DatabaseStatus,
  type MigrationStatus,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import type { MigrationHandle } from '../support/migration';
import { clearSource, contentOf, isFenced, useOnlineMigrations, CUTOVER } from '../support/online';
import { dropTestDatabase } from '../support/servers';
import { createShopLike } from '../support/shop-like';
import { Writers } from '../support/writers';

const SOURCE = 15;
const TARGET = 17;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET, 2_000);
let other: string;
let crowd: Writers | undefined;

beforeAll(async () => {
  other = await createShopLike(SOURCE, 2_000);
});

afterEach(async () => {
  await crowd?.stop();
  await clearSource(SOURCE, other);
});

afterAll(async () => {
  await dropTestDatabase(TARGET, other);
  await dropTestDatabase(SOURCE, other);
});

async function standingOf(handle: MigrationHandle, name: string): Promise<DatabaseStatus> {
  const { databases } = await handle.query<MigrationStatus>(STATUS_QUERY);
  return databases.find(({ database }) => database === name) as DatabaseStatus;
}

async function untilReady(handle: MigrationHandle, database: string): Promise<void> {
  let last: DatabaseStatus | undefined;
  await eventually(
    `${database} ready for its cutover`,
    async () => {
      last = await standingOf(handle, database).catch(() => undefined);
      return last?.phase === 'Replicate' && last.replication?.state === 'ReadyForCutover';
    },
    { timeout: 120_000, seen: () => JSON.stringify(last) },
  );
}

async function cutOverOne(
  handle: MigrationHandle,
  database: string,
  change: Partial<CutoverRequest> = {},
): Promise<DatabaseStatus> {
  const { databases } = await handle.executeUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE, {
    args: [{ ...CUTOVER, databases: [database], ...change }],
  });
  return databases.find((each) => each.database === database) as DatabaseStatus;
}

itInAll(
  'each database of a migration is cut over by itself: one from 50 writers, one without a fence',
  async () => {
    const { handle, request, writer } = await start({ databases: [shop.database, other] });
    crowd = Writers.start(SOURCE, other, { sessions: 50, interval: 200 });
    shop.startWorker(request.pool);
    await untilReady(handle, shop.database);
    await untilReady(handle, other);

    expect((await cutOverOne(handle, other)).cutover).toMatchObject({
      state: 'Released',
      fence: 'read-only',
    });
    const written = crowd.committed;
    expect(written).toBeGreaterThan(100);
    await crowd.stop();
    expect(crowd.committed).toBe(written);
    expect(await isFenced(SOURCE, other)).toBe(true);
    expect(await contentOf(TARGET, other)).toEqual(await contentOf(SOURCE, other));

    // the other one goes on as if nothing had been
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    const before = writer.committed;
    await eventually('the application writes', () => Promise.resolve(writer.committed > before + 20));
    await untilReady(handle, shop.database);
    expect((await cutOverOne(handle, shop.database, { fence: 'none' })).cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'FenceBroken' },
    });
    await untilReady(handle, shop.database);
    // it is the user who keeps the application out
    await writer.stop();
    expect((await cutOverOne(handle, shop.database, { fence: 'none' })).cutover).toMatchObject({
      state: 'Released',
      fence: 'none',
    });
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    expect(await contentOf(TARGET, shop.database)).toEqual(await contentOf(SOURCE, shop.database));
    expect(await handle.result()).toMatchObject({ state: 'Succeeded' });
  },
);
