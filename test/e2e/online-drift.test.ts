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
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 18;

/** Below those of the writers. */
const FREE_ID = 5_000_000;

const { shop, startReady } = useOnlineMigrations(SOURCE, TARGET);

/** What waits for the cutover, and bears the table's name. */
const LATE_OF_SMALL_5 = `
  CREATE TRIGGER late BEFORE TRUNCATE ON "Small 5" EXECUTE PROCEDURE touch();
  CREATE POLICY late ON "Small 5" USING (id > 0);
  GRANT SELECT ON "Small 5" TO PUBLIC`;

async function alter(side: typeof SOURCE | typeof TARGET, sql: string): Promise<void> {
  await withSession(side, shop.database, (client) => client.query(sql));
}

async function acceptDrift({ handle }: Online): Promise<void> {
  await handle.executeUpdate<unknown, [DatabasesRequest]>(ACCEPT_DRIFT_UPDATE, { args: [{}] });
}

async function expectRefused({ handle }: Online, object: string): Promise<void> {
  const { cutover } = await cutOver(handle);
  expect(cutover).toMatchObject({
    state: 'CalledOff',
    failure: { code: 'SchemaDrift', sentence: expect.stringContaining(object) as string },
  });
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

  itInAll.each([
    {
      what: 'a dropped column',
      ddl: 'ALTER TABLE "Small 5" DROP COLUMN big_id',
      object: 'column "public"."Small 5"."big_id"',
      after: `INSERT INTO "Small 5" (id, note) VALUES (${FREE_ID}, 'after')`,
      undo: 'ALTER TABLE "Small 5" ADD COLUMN big_id bigint REFERENCES big',
    },
    {
      what: 'a renamed column',
      ddl: 'ALTER TABLE "Small 5" RENAME big_id TO refers_to',
      object: 'column "public"."Small 5"."big_id"',
      after: `INSERT INTO "Small 5" (id, note) VALUES (${FREE_ID + 1}, 'after')`,
      undo: 'ALTER TABLE "Small 5" RENAME refers_to TO big_id',
    },
    {
      what: 'a column of another type',
      ddl: 'ALTER TABLE "Small 5" ALTER note TYPE varchar(90)',
      object: 'column "public"."Small 5"."note"',
      after: `INSERT INTO "Small 5" (id, note) VALUES (${FREE_ID + 2}, 'after')`,
      undo: 'ALTER TABLE "Small 5" ALTER note TYPE text',
    },
    {
      what: 'a renamed table',
      ddl: 'ALTER TABLE "Small 5" RENAME TO "Small five"',
      object: 'table "public"."Small 5"',
      after: `INSERT INTO "Small five" (id, note) VALUES (${FREE_ID + 3}, 'after')`,
      undo: 'ALTER TABLE "Small five" RENAME TO "Small 5"',
    },
    {
      what: 'a dropped table',
      ddl: 'DROP TABLE "Small 5"',
      object: 'table "public"."Small 5"',
      after: '',
      undo: 'CREATE TABLE "Small 5" (id int PRIMARY KEY, big_id bigint REFERENCES big, note text); CREATE INDEX ON "Small 5" (note)',
    },
  ])('by $what is named, keeps from the cutover, and is gone on with', async (change) => {
    await alter(SOURCE, LATE_OF_SMALL_5);
    const migration = await startReady();
    const { handle } = migration;
    const row = 'UPDATE "Small 5" SET note = note WHERE id = 50';
    await alter(SOURCE, `BEGIN; ${row}; ${change.ddl}; ${change.after}; COMMIT`);
    const { drift } = await untilLive(handle, 'drift', (live) => live.drift.length > 0);
    expect(drift.map(({ object }) => object)).toContain(change.object);
    const { cutover } = await cutOver(handle);
    expect(cutover?.state).toBe('CalledOff');
    expect(['SchemaDrift', 'CutoverRefused']).toContain(cutover?.failure?.code);
    expect(cutover?.fencedAt).toBeUndefined();

    await alter(TARGET, change.ddl);
    await acceptDrift(migration);
    const { stoppedTables } = await untilLive(handle, 'no drift', (live) => live.drift.length === 0);
    for (const { table } of stoppedTables) {
      await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{ table }] });
    }
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
    await clearSource(SOURCE, shop.database);
    await alter(SOURCE, change.undo);
    await alter(SOURCE, 'DROP TRIGGER IF EXISTS late ON "Small 5"; DROP POLICY IF EXISTS late ON "Small 5"');
    await alter(SOURCE, 'REVOKE SELECT ON "Small 5" FROM PUBLIC');
  });

  itInAll('in what is made at the cutover follows the source, when that is accepted', async () => {
    const triggerOf = (name: string) =>
      `CREATE TRIGGER ${name} BEFORE INSERT ON big FOR EACH ROW EXECUTE PROCEDURE touch()`;
    const migration = await startReady();
    const { handle } = migration;
    await alter(SOURCE, `DROP TRIGGER touch ON big; ${triggerOf('since')}; GRANT SELECT ON big TO PUBLIC`);
    await untilLive(handle, 'drift', (live) => live.drift.length === 3);
    await expectRefused(migration, 'privileges of table "public"."big"');
    await acceptDrift(migration);
    await untilLive(handle, 'no drift', (live) => live.drift.length === 0);
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
    await clearSource(SOURCE, shop.database);
    const back = 'CREATE TRIGGER touch BEFORE UPDATE ON big FOR EACH ROW EXECUTE PROCEDURE touch()';
    await alter(SOURCE, `DROP TRIGGER since ON big; REVOKE SELECT ON big FROM PUBLIC; ${back}`);
  });

  itInAll('in its publications is named, and gone when all tables are copied anew', async () => {
    const migration = await startReady();
    const { handle, request } = migration;
    await alter(SOURCE, `ALTER PUBLICATION flexlift_${request.migrationId} DROP TABLE "Small 5"`);
    await alter(SOURCE, `UPDATE "Small 5" SET note = 'unpublished'`);
    await untilLive(handle, 'drift', (live) => live.drift.length > 0);
    // a proof may have found the lost change before
    expect((await cutOver(handle)).cutover).toMatchObject({ state: 'CalledOff' });
    await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{}] });
    await untilReplication(handle, 'CatchingUp');
    await untilReplication(handle, 'ReadyForCutover');
    await untilLive(handle, 'no drift', (live) => live.drift.length === 0);
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

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
