import {
  cutOver,
  expectReleased,
  isFenced,
  untilLive,
  untilCutOver,
  useOnlineMigrations,
} from '../support/online';
import { itInAll } from '../support/all';
import { withSession } from '../support/servers';

const SOURCE = 14;
const TARGET = 17;
/** Bytes of WAL. */
const ALLOWED = 64 * 1024;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

itInAll(
  'a cutover is refused before the fence while the target is further behind than is allowed',
  async () => {
    const migration = await startReady();
    const { handle, writer } = migration;
    await withSession(TARGET, shop.database, async (client) => {
      await client.query('BEGIN; LOCK TABLE big IN SHARE MODE');
      await untilLive(handle, 'a lag', ({ lagBytes }) => lagBytes > 2 * ALLOWED);
      const { cutover } = await cutOver(handle, { maxLagBytes: ALLOWED });
      expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
      expect(cutover?.failure?.sentence).toMatch(/^The target is \d+ bytes behind/);
      expect(cutover?.fencedAt).toBeUndefined();
      expect(await isFenced(SOURCE, shop.database)).toBe(false);
      await client.query('ROLLBACK');
    });
    await writer.stop();
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  },
);
