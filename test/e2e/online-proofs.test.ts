import type { ReplicationStatus } from '../../contract';
import { itInAll } from '../support/all';
import {
  cutOver,
  expectReleased,
  isFenced,
  untilCutOver,
  untilLive,
  useOnlineMigrations,
} from '../support/online';
import { run, withSession } from '../support/servers';
import { StandIn } from '../support/stand-in';

const SOURCE = 14;
const TARGET = 17;
/** Bytes of tables. */
const ALLOWED = 64 * 1024;

let source: StandIn;

// a server of its own: the snapshots of other tests' migrations would wait for the transaction, too
beforeAll(async () => {
  source = await StandIn.start(SOURCE, { fsync: false, wal_level: 'logical' });
});
const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);
afterAll(() => source.remove());

itInAll(
  'a cutover is refused before the fence while proofs wait for a transaction of the source, which is named',
  async () => {
    const migration = await startReady();
    const { handle } = migration;
    await withSession(SOURCE, 'postgres', async (client) => {
      await client.query('CREATE TABLE long_open (id int)');
      await client.query('BEGIN; INSERT INTO long_open VALUES (1)');
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      // more than are looked up one by one
      await run(SOURCE, shop.database, `UPDATE big SET body = body || '!'`);
      const wait = `the transaction of process ${rows[0]?.pid} in database postgres`;
      await untilLive(
        handle,
        'proofs that wait',
        ({ proofsPostponed }) => proofsPostponed?.includes(wait) === true,
      );
      const { cutover } = await cutOver(handle, { maxCompareBytes: ALLOWED });
      expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
      expect(cutover?.failure?.sentence).toMatch(
        /are left to be compared .*: "public"."big" \(\d+ [kM]B, (not proven yet|changed much since its proof)\)/,
      );
      expect(cutover?.failure?.sentence).toContain(wait);
      expect(cutover?.fencedAt).toBeUndefined();
      expect(await isFenced(SOURCE, shop.database)).toBe(false);
      await client.query('ROLLBACK; DROP TABLE long_open');
    });
    const proven = (migrated: ReplicationStatus) => migrated.proofsPostponed === undefined;
    await untilLive(handle, 'proofs that go on', proven);
    await migration.writer.stop();
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  },
);
