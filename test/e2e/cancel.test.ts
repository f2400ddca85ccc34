import { CANCEL_UPDATE, DEFAULT_LIMITS, type MigrationStatus, type OnCancel } from '../../contract';
import { countSessionsOn, untilActive } from '../support/active';
import { TEST_ALL } from '../support/all';
import { useShopMigrations } from '../support/e2e';
import { testRequest } from '../support/migration';
import { testAddress, withSession } from '../support/servers';
import { SMALL_PARTS } from '../support/shop-like';

const SOURCE = 14;
const TARGET = 17;

const shop = useShopMigrations(SOURCE, TARGET);

async function targetExists(): Promise<boolean> {
  return await withSession(TARGET, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [shop.database]);
    return rowCount === 1;
  });
}

const IN_ALL: [string, OnCancel][] = [
  ['dumpSchema', 'drop-target'],
  ['compareTables', 'drop-target'],
];

describe('cancel', () => {
  it.each<[string, OnCancel]>([
    ['runPreData', 'keep-target'],
    ['copyPart', 'drop-target'],
    ['buildIndex', 'keep-target'],
    ...(TEST_ALL ? IN_ALL : []),
  ])('during %s with %s leaves no session, and the target as asked', async (activity, onCancel) => {
    const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
      databases: [shop.database],
      limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, copiesAtOnce: 1 },
    });
    const handle = await shop.migrations.start(request);
    shop.startWorker(request.pool);
    const mine = `flexlift:${request.migrationId}:`;
    // the dump needs nothing of the target
    const side = activity === 'dumpSchema' ? SOURCE : TARGET;
    await untilActive(side, request.migrationId, activity);
    const status = await handle.executeUpdate<MigrationStatus, [{ onCancel: OnCancel }]>(CANCEL_UPDATE, {
      args: [{ onCancel }],
    });
    expect(status.state).toBe('Canceled');
    expect(await handle.result()).toMatchObject({ state: 'Canceled' });
    expect(await countSessionsOn(SOURCE, `${mine}%`)).toBe(0);
    expect(await countSessionsOn(TARGET, `${mine}%`)).toBe(0);
    expect(await targetExists()).toBe(onCancel === 'keep-target');
  });
});
