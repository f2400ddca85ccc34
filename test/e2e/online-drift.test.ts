import {
  ACCEPT_DRIFT_UPDATE,
  RECOPY_UPDATE,
  type DatabasesRequest,
  type RecopyRequest,
} from '../../contract';
import { itInAll } from '../support/all';
import {
  clearSource,
  cutOver,
  expectReleased,
  refusalOf,
  untilCutOver,
  untilLive,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 18;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

async function alter(side: typeof SOURCE | typeof TARGET, sql: string): Promise<void> {
  await withSession(side, shop.database, (client) => client.query(sql));
}

async function acceptDrift({ handle }: Online): Promise<void> {
  await handle.executeUpdate<unknown, [DatabasesRequest]>(ACCEPT_DRIFT_UPDATE, { args: [{}] });
}

async function expectRefused({ handle }: Online, object: string): Promise<void> {
  const { cutover } = await cutOver(handle);
  expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'SchemaDrift' } });
  expect(cutover?.failure?.sentence).toContain(object);
  expect(cutover?.fencedAt).toBeUndefined();
}

describe('a schema that changes while changes are applied', () => {
  itInAll(
    'is named, keeps from the cutover, and is gone on with when the target has the change too',
    async () => {
      const migration = await startReady();
      const { handle } = migration;
      await alter(SOURCE, 'CREATE TABLE passing (id int)');
      await untilLive(handle, 'a drift', ({ drift }) => drift.length > 0);
      await expectRefused(migration, '"passing"');
      await alter(SOURCE, 'DROP TABLE passing');
      await untilLive(handle, 'no drift', ({ drift }) => drift.length === 0);
      // of a table that is written to, and of one that hears of the column first by the next change
      const column = 'ADD COLUMN extra int DEFAULT 7';
      await alter(SOURCE, `ALTER TABLE big ${column}; ALTER TABLE "Small 7" ${column}`);
      const drifted = await untilLive(handle, 'two drifts', ({ drift }) => drift.length === 2);
      expect(drifted.drift.map(({ object }) => object).sort()).toEqual([
        'column "public"."Small 7"."extra"',
        'column "public"."big"."extra"',
      ]);
      const stopped = await untilLive(handle, 'stopped tables', (live) => live.stoppedTables.length === 2);
      expect(stopped.stoppedTables.map(({ failure }) => failure.code)).toEqual([
        'SchemaDrift',
        'SchemaDrift',
      ]);
      const refused = await cutOver(handle);
      expect(refused.cutover?.failure?.code).toBe('CutoverRefused');

      expect(await refusalOf(acceptDrift(migration))).toMatch(/"extra".*same change on the target/);

      await alter(TARGET, `ALTER TABLE big ${column}; ALTER TABLE "Small 7" ${column}`);
      await acceptDrift(migration);
      for (const table of ['big', 'Small 7']) {
        await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{ table }] });
      }
      await untilLive(
        handle,
        'no drift, none stopped',
        ({ drift, stoppedTables }) => drift.length + stoppedTables.length === 0,
      );
      await untilCutOver(handle);
      await expectReleased(shop, migration, [SOURCE, TARGET]);
      await clearSource(SOURCE, shop.database);
      await alter(SOURCE, 'ALTER TABLE big DROP COLUMN extra; ALTER TABLE "Small 7" DROP COLUMN extra');
    },
  );

  itInAll('by a new table is named, and keeps from the cutover until that is dropped again', async () => {
    const migration = await startReady();
    const { handle } = migration;
    await alter(SOURCE, 'CREATE TABLE late (id int PRIMARY KEY); INSERT INTO late VALUES (1)');
    const { drift } = await untilLive(handle, 'drift', (live) => live.drift.length > 0);
    expect(drift.map(({ object }) => object)).toContain('table "public"."late"');
    await expectRefused(migration, '"public"."late');
    expect(await refusalOf(acceptDrift(migration))).toMatch(/"late/);

    await alter(SOURCE, 'DROP TABLE late');
    await untilLive(handle, 'no drift', (live) => live.drift.length === 0);
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});
