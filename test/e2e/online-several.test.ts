import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  clearSource,
  contentOf,
  cutOver,
  isFenced,
  untilReplication,
  useOnlineMigrations,
} from '../support/online';
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

itInAll(
  'each database of a migration is cut over by itself: one from 50 writers, one without a fence',
  async () => {
    const { handle, request, writer } = await start({ databases: [shop.database, other] });
    crowd = Writers.start(SOURCE, other, { sessions: 50, interval: 200 });
    shop.startWorker(request.pool);
    await untilReplication(handle, 'ReadyForCutover', shop.database);
    await untilReplication(handle, 'ReadyForCutover', other);

    expect((await cutOver(handle, { databases: [other] })).cutover).toMatchObject({
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
    await untilReplication(handle, 'ReadyForCutover', shop.database);
    expect((await cutOver(handle, { databases: [shop.database], fence: 'none' })).cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'FenceBroken' },
    });
    await untilReplication(handle, 'ReadyForCutover', shop.database);
    // it is the user who keeps the application out
    await writer.stop();
    expect((await cutOver(handle, { databases: [shop.database], fence: 'none' })).cutover).toMatchObject({
      state: 'Released',
      fence: 'none',
    });
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    expect(await contentOf(TARGET, shop.database)).toEqual(await contentOf(SOURCE, shop.database));
    expect(await handle.result()).toMatchObject({ state: 'Succeeded' });
  },
);
