import { DEFAULT_LIMITS } from '../../contract';
import { countSessionsOn } from '../support/active';
import { eventually } from '../support/eventually';
import { useShopMigrations } from '../support/e2e';
import { testRequest } from '../support/migration';
import { replay } from '../support/replay';
import { testAddress, withSession } from '../support/servers';
import { SMALL_PARTS } from '../support/shop-like';

const SOURCE = 14;
const TARGET = 17;

/** The first attempt to build it, of whichever session, takes a minute. */
const SLOW_INDEX = `
  CREATE SEQUENCE naps;
  CREATE FUNCTION slow(id bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN id; END $$;
  CREATE INDEX big_slow ON big (slow(id));
  CREATE OR REPLACE FUNCTION slow(id bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
    BEGIN
      IF id = 777 AND current_setting('application_name') LIKE '%:buildIndex:%' AND nextval('public.naps') = 1 THEN
        PERFORM pg_sleep(60);
      END IF;
      RETURN id;
    END $$`;

const shop = useShopMigrations(SOURCE, TARGET);

beforeAll(() => withSession(SOURCE, shop.database, (client) => client.query(SLOW_INDEX)));

const isNapping = async () =>
  await withSession(TARGET, 'postgres', async (client) => {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'`,
      [shop.database],
    );
    return rowCount === 1;
  });

it('the source is let go of before the indexes are built, and whoever dies then has nothing copied again', async () => {
  // with nothing to compare by, a snapshot that is lost has everything copied anew
  const request = testRequest(testAddress(SOURCE), testAddress(TARGET), {
    databases: [shop.database],
    limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS },
    compare: false,
  });
  const { migrationId, pool } = request;
  const handle = await shop.migrations.start(request);
  const first = shop.startWorker(pool);
  await eventually('the slow index', isNapping);
  await eventually(
    'the source to be let go of',
    async () => (await countSessionsOn(SOURCE, `flexlift:${migrationId}:holdSnapshot:%`)) === 0,
  );
  expect(await isNapping()).toBe(true);
  await first.kill();
  shop.startWorker(pool);
  const status = await handle.result();
  expect(status).toMatchObject({ state: 'SucceededUnverified' });
  const tables = status.databases[0]?.tables ?? [];
  expect(tables).not.toHaveLength(0);
  expect(tables.map(({ copies }) => copies)).toEqual(tables.map(({ parts }) => parts));
  await replay(shop.migrations, handle);
});
