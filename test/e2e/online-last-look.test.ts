import { setTimeout as pause } from 'node:timers/promises';
import { RECOPY_UPDATE, type DatabaseStatus, type RecopyRequest } from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  clearSource,
  cutOver,
  expectReleased,
  isFenced,
  untilCutOver,
  untilLive,
  untilReplication,
  useOnlineMigrations,
} from '../support/online';
import { dropTestDatabase, withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;
/** Above the ids that the writers use. */
const CONFLICTING_ID = 90_000_000;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);

async function run(side: typeof SOURCE | typeof TARGET, sql: string): Promise<void> {
  await withSession(side, shop.database, (client) => client.query(sql));
}

/** Cuts over; `work` runs when the cutover has found nothing in its way and has not fenced the source yet. */
async function cutOverWith(
  handle: Parameters<typeof cutOver>[0],
  work: () => Promise<void>,
): Promise<DatabaseStatus> {
  return await withSession(SOURCE, shop.database, async (client) => {
    await client.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('flexlift fence'))`);
    // a table that was copied anew has to catch up first
    const cutover = await eventually('the cutover is about to raise the fence', async () => {
      let isOver = false;
      const result = cutOver(handle).finally(() => (isOver = true));
      await eventually('the fence, or a refusal', async () => isOver || (await isFencing()));
      return isOver ? undefined : { result };
    });
    await work();
    await client.query('COMMIT');
    return await cutover.result;
  });
}

async function isFencing(): Promise<boolean> {
  const { rowCount } = await withSession(SOURCE, shop.database, (client) =>
    client.query(
      `SELECT FROM pg_stat_activity WHERE application_name LIKE '%:raiseFence:%' AND datname = current_database()`,
    ),
  );
  return rowCount === 1;
}

describe('what happens right before the fence', () => {
  itInAll('is seen behind it, where nothing is compared', async () => {
    const migration = await start({ compare: false });
    const { handle } = migration;
    shop.startWorker(migration.request.pool);
    await untilReplication(handle, 'ReadyForCutover');

    const conflict = `INSERT INTO "Small 3" VALUES (${CONFLICTING_ID}, NULL, 'by hand')`;
    const stopped = await cutOverWith(handle, async () => {
      await run(TARGET, conflict);
      await run(SOURCE, conflict);
    });
    expect(stopped.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
    expect(stopped.cutover?.failure?.sentence).toMatch(/"Small 3"/);
    await untilReplication(handle, 'ReadyForCutover');
    await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{ table: '"Small 3"' }] });
    await untilLive(handle, 'none is stopped', (live) => live.stoppedTables.length === 0);
    await untilReplication(handle, 'ReadyForCutover');

    const drifted = await cutOverWith(handle, () => run(SOURCE, 'CREATE TABLE late (id int PRIMARY KEY)'));
    expect(drifted.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'SchemaDrift' } });
    expect(drifted.cutover?.failure?.sentence).toMatch(/"late(_pkey)?"/);
    await run(SOURCE, 'DROP TABLE late');
    await untilReplication(handle, 'ReadyForCutover');

    const unpublished = await cutOverWith(handle, async () => {
      await run(SOURCE, `ALTER PUBLICATION flexlift_${migration.request.migrationId} DROP TABLE "Small 4"`);
      await run(SOURCE, `INSERT INTO "Small 4" VALUES (${CONFLICTING_ID}, NULL, 'lost')`);
    });
    expect(unpublished.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'SchemaDrift' } });
    expect(unpublished.cutover?.failure?.sentence).toMatch(/"Small 4".*publication/);
  });
});

describe('a difference that is found behind the fence', () => {
  itInAll('calls the cutover off and lifts the fence, until it is mended', async () => {
    const migration = await start();
    const { handle, writer } = migration;
    shop.startWorker(migration.request.pool);
    await untilReplication(handle, 'ReadyForCutover');

    const another = await cutOverWith(handle, async () => {
      await run(SOURCE, `UPDATE big SET body = 'changed last' WHERE id = 7`);
      await eventually('the last change is applied', async () => {
        const { rowCount } = await withSession(TARGET, shop.database, (client) =>
          client.query(`SELECT FROM big WHERE id = 7 AND body = 'changed last'`),
        );
        return rowCount === 1;
      });
      await run(TARGET, `UPDATE big SET body = 'by hand' WHERE id = 7`);
    });
    expect(another.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'DifferenceFound' } });
    expect(another.cutover?.failure?.sentence).toMatch(/"public"\."big"/);
    expect(another.cutover?.fencedAt).toBeDefined();
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    const before = writer.committed;
    await eventually('the application writes', () => Promise.resolve(writer.committed > before));
    await untilReplication(handle, 'ReadyForCutover');
    await handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, { args: [{ table: 'big' }] });
    await untilReplication(handle, 'ReadyForCutover');

    const redefined = await cutOverWith(handle, () =>
      run(
        TARGET,
        `CREATE OR REPLACE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
      ),
    );
    expect(redefined.cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'DifferenceFound' } });
    expect(redefined.cutover?.failure?.sentence).toMatch(/touch/);
    expect(await isFenced(SOURCE, shop.database)).toBe(false);
    const { rows } = await withSession(SOURCE, shop.database, (client) =>
      client.query<{ ddl: string }>(`SELECT pg_get_functiondef('touch'::regproc) AS ddl`),
    );
    await run(TARGET, rows[0]?.ddl ?? '');
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});

describe('a worker that dies behind the fence', () => {
  itInAll('delays the release, and nothing else', async () => {
    for (const delay of [0, 200, 500, 900]) {
      const migration = await start();
      const worker = shop.startWorker(migration.request.pool);
      await untilReplication(migration.handle, 'ReadyForCutover');
      const cutover = cutOver(migration.handle);
      await eventually('the fence', () => isFenced(SOURCE, shop.database), { interval: 10 });
      await pause(delay);
      await worker.kill();
      shop.startWorker(migration.request.pool);
      expect((await cutover).cutover?.state).toBe('Released');
      await expectReleased(shop, migration, [SOURCE, TARGET]);
      await clearSource(SOURCE, shop.database);
      await dropTestDatabase(TARGET, shop.database);
    }
  });
});
