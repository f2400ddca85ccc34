import { setTimeout as pause } from 'node:timers/promises';
import {
  CANCEL_UPDATE,
  DEFAULT_LIMITS,
  THROTTLE_UPDATE,
  type MigrationStatus,
  type ThrottleRequest,
} from '../../contract';
import { untilActive } from '../support/active';
import { useShopMigrations } from '../support/e2e';
import { testRequest, type MigrationHandle } from '../support/migration';
import { untilReplication } from '../support/online';
import { testAddress, withSession } from '../support/servers';
import { itInAll } from '../support/all';
import { SMALL_PARTS } from '../support/shop-like';

const SOURCE = 14;
const TARGET = 17;

const shop = useShopMigrations(SOURCE, TARGET);

async function throttle(handle: MigrationHandle, change: ThrottleRequest): Promise<MigrationStatus> {
  return await handle.executeUpdate<MigrationStatus, [ThrottleRequest]>(THROTTLE_UPDATE, { args: [change] });
}

/** The most sessions of a migration that were seen on the source at a time. */
function countSessions(migrationId: string): { stop: () => Promise<number> } {
  let most = 0;
  let isOver = false;
  const counting = withSession(SOURCE, 'postgres', async (client) => {
    while (!isOver) {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE starts_with(application_name, $1)`,
        [`flexlift:${migrationId}:`],
      );
      most = Math.max(most, rowCount ?? 0);
      await pause(10);
    }
  });
  return {
    stop: async () => {
      isOver = true;
      await counting;
      return most;
    },
  };
}

itInAll.each([
  ['Offline', 5],
  ['Online', 18],
] as const)('%s, no more than %i sessions are on the source at a time', async (mode, maxConnections) => {
  const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
    mode,
    databases: [shop.database],
    limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS },
    throttle: { maxConnections },
  });
  const handle = await shop.migrations.start(request);
  const sessions = countSessions(request.migrationId);
  shop.startWorker(request.pool);
  if (mode === 'Online') await untilReplication(handle, 'ReadyForCutover');
  else expect(await handle.result()).toMatchObject({ state: 'Succeeded' });
  expect(await sessions.stop()).toBeLessThanOrEqual(maxConnections);
  if (mode === 'Online') await handle.executeUpdate<MigrationStatus, [object]>(CANCEL_UPDATE, { args: [{}] });
});

itInAll(
  'a load takes no more of the source than it may, through the death of its worker, until it may',
  async () => {
    const maxConnections = 5;
    const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
      databases: [shop.database],
      limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS },
      throttle: { maxRate: 10_000, maxConnections },
    });
    const handle = await shop.migrations.start(request);
    const sessions = countSessions(request.migrationId);
    const worker = shop.startWorker(request.pool);
    await untilActive(SOURCE, request.migrationId, 'copyPart');
    await worker.kill();
    shop.startWorker(request.pool);
    await untilActive(SOURCE, request.migrationId, 'copyPart');
    // without a bound all of it takes less
    await pause(6_000);
    await expect(throttle(handle, { maxConnections: 3 })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('it needs 4') as string },
    });
    const freed = await throttle(handle, { maxRate: null });
    expect(freed.databases).toMatchObject([{ phase: 'Load', state: 'InProgress' }]);
    expect(freed.throttle).toEqual({ maxConnections });
    expect(await handle.result()).toMatchObject({ state: 'Succeeded', throttle: { maxConnections } });
    expect(await sessions.stop()).toBeLessThanOrEqual(maxConnections);
  },
);

it('names a bound that is too low before anything is done', async () => {
  const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
    databases: [shop.database],
    throttle: { maxConnections: 3 },
  });
  const handle = await shop.migrations.start(request);
  shop.startWorker(request.pool);
  const { state, findings } = await handle.result();
  expect(state).toBe('ValidationFailed');
  expect(findings).toContainEqual(
    expect.objectContaining({
      rule: 'connections',
      state: 'Failed',
      remedy: expect.stringContaining('--max-connections 4') as string,
    }),
  );
});
