import { STATUS_QUERY, type MigrationStatus } from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  cutOver,
  expectReleased,
  isFenced,
  untilCutOver,
  untilReplication,
  useOnlineMigrations,
} from '../support/online';
import { withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 18;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);

itInAll(
  'a run that is terminated right before its release leaves nothing in the way of the next one',
  async () => {
    // as a replica it would fire, too
    await withSession(SOURCE, shop.database, (client) =>
      client.query('ALTER TABLE big ENABLE ALWAYS TRIGGER touch'),
    );
    const first = await start();
    const { handle, request } = first;
    const worker = shop.startWorker(request.pool);
    await untilReplication(handle, 'ReadyForCutover');
    await withSession(TARGET, shop.database, async (client) => {
      await client.query('BEGIN; SELECT FROM flexlift.migration FOR SHARE');
      const cutover = cutOver(handle).catch(() => undefined);
      await eventually('the release waits', async () => {
        const { databases } = await handle.query<MigrationStatus>(STATUS_QUERY);
        return databases[0]?.phase === 'Release';
      });
      await handle.terminate('by the test');
      await worker.kill();
      await cutover;
    });
    expect(await isFenced(SOURCE, shop.database)).toBe(true);

    const next = { ...request, generation: 2 };
    const second = await shop.migrations.start(next);
    shop.startWorker(request.pool);
    await untilReplication(second, 'ReadyForCutover');
    const before = first.writer.committed;
    await eventually('the application writes again', () =>
      Promise.resolve(first.writer.committed > before + 50),
    );
    await untilCutOver(second);
    await expectReleased(shop, { handle: second, request: next, writer: first.writer }, [SOURCE, TARGET]);
  },
);
