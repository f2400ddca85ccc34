import type { DatabaseStatus } from '../../contract';
import {
  cutOver,
  expectReleased,
  isFenced,
  untilCutOver,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import { withSession } from '../support/servers';
import { Writers } from '../support/writers';

const SOURCE = 14;
const TARGET = 17;

const { shop, start, startReady } = useOnlineMigrations(SOURCE, TARGET);
let intruder: Writers | undefined;

afterEach(async () => {
  await intruder?.stop();
});

async function onSource(sql: string): Promise<void> {
  await withSession(SOURCE, shop.database, (client) => client.query(sql));
}

async function copiesOf(table: string): Promise<number | undefined> {
  const { rows } = await withSession(TARGET, shop.database, (client) =>
    client.query<{ copies: number }>(
      'SELECT copies FROM flexlift.part JOIN flexlift.table_load USING (table_oid) WHERE table_name = $1',
      [table],
    ),
  );
  return rows[0]?.copies;
}

/** An application that asks for transactions that write, and connects again when it is thrown out. */
function startIntruder(): Writers {
  return Writers.start(SOURCE, shop.database, {
    sessions: 1,
    interval: 50,
    transaction: (_session, turn) => `
      ${turn % 2 === 0 ? 'BEGIN READ WRITE' : 'BEGIN; SET transaction_read_only = off'};
      UPDATE "Small 12" SET note = 'intruder ${turn}' WHERE id = ${11 + (turn % 100)};
      COMMIT`,
  });
}

/** Runs `work` in a cutover that has compared all rows, and cannot go on: it waits to refresh a materialized view. */
async function whenCompared({ handle }: Online, work: () => Promise<void>): Promise<DatabaseStatus> {
  return await withSession(TARGET, shop.database, async (reader) => {
    await reader.query('BEGIN; EXPLAIN SELECT FROM kinds');
    const cutover = cutOver(handle);
    await eventually('all rows are compared', async () => {
      const { rowCount } = await reader.query(
        'SELECT FROM flexlift.table_load HAVING bool_and(target_checksum IS NOT NULL)',
      );
      return rowCount === 1;
    });
    await work();
    await reader.query('COMMIT');
    return await cutover;
  });
}

describe('what no marker tells of', () => {
  it('cannot be written behind the fence, or is found before the release', async () => {
    const migration = await start();
    await onSource(`CREATE TABLE diary (entry text); INSERT INTO diary VALUES ('one');
                    CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text); INSERT INTO cache VALUES (1, 'one')`);
    shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    await onSource(`UPDATE diary SET entry = 'changed'`);
    const { cutover } = await whenCompared(migration, async () => {
      expect(await copiesOf('diary')).toBe(2);
      await expect(onSource(`BEGIN READ WRITE; UPDATE diary SET entry = 'lost'`)).rejects.toThrow(
        'does not have a replica identity',
      );
      await onSource(`BEGIN READ WRITE; UPDATE cache SET v = 'late'; COMMIT`);
    });
    expect(cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'FenceBroken', object: '"public"."cache"' },
    });
    // a row that was committed meanwhile would be in that copy and in the stream as well
    await eventually('one more copy', async () => (await copiesOf('diary')) === 3);
    await onSource(`UPDATE diary SET entry = 'changed again'`);
    await untilReplication(migration.handle, 'ReadyForCutover');

    // a worker that is cut off may still be at a proof, and would keep the ledger's tables from being dropped
    await withSession(TARGET, shop.database, async (prover) => {
      await prover.query(
        `SET application_name = 'flexlift:${migration.request.migrationId}:proveTables:gone:1'`,
      );
      await prover.query('BEGIN; SELECT FROM flexlift.table_load; SELECT FROM big LIMIT 1');
      await untilCutOver(migration.handle);
      await expect(prover.query('SELECT 1')).rejects.toThrow();
    });
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});

describe('a fence that does not hold', () => {
  itInAll(
    'is noticed: the cutover is called off, and the next one succeeds when the intruder is gone',
    async () => {
      const migration = await startReady();
      const { handle, writer } = migration;
      intruder = startIntruder();
      const { cutover } = await cutOver(handle);
      expect(cutover).toMatchObject({
        state: 'CalledOff',
        failure: { code: 'FenceBroken', object: '"public"."Small 12"' },
      });
      expect(cutover?.fencedSeconds).toBeGreaterThan(0);
      expect(await isFenced(SOURCE, shop.database)).toBe(false);
      const before = writer.committed;
      await eventually('the application writes again', () => Promise.resolve(writer.committed > before + 5));
      await untilReplication(handle, 'ReadyForCutover');

      await intruder.stop();
      await untilCutOver(handle);
      await expectReleased(shop, migration, [SOURCE, TARGET]);
    },
  );

  itInAll(
    'is noticed where large objects are written, which a read-only transaction may below 16',
    async () => {
      const migration = await startReady();
      const { handle } = migration;
      intruder = Writers.start(SOURCE, shop.database, {
        sessions: 1,
        interval: 0,
        transaction: (_session, turn) => `SELECT lo_put(900002, 0, int4send(${turn}))`,
      });
      const { cutover } = await cutOver(handle);
      expect(cutover).toMatchObject({
        state: 'CalledOff',
        failure: { code: 'FenceBroken', object: 'large objects' },
      });
      expect(await isFenced(SOURCE, shop.database)).toBe(false);

      await intruder.stop();
      await untilReplication(handle, 'ReadyForCutover');
      await untilCutOver(handle);
      await expectReleased(shop, migration, [SOURCE, TARGET]);
    },
  );

  itInAll('is not raised while the source holds prepared transactions', async () => {
    const migration = await startReady();
    const { handle } = migration;
    const gid = `'it''s "prepared"'`;
    await withSession(SOURCE, shop.database, (client) =>
      client.query(
        `BEGIN; UPDATE "Small 12" SET note = 'prepared' WHERE id = 50; PREPARE TRANSACTION ${gid}`,
      ),
    );
    try {
      const { cutover } = await cutOver(handle);
      expect(cutover).toMatchObject({ state: 'CalledOff', failure: { code: 'CutoverRefused' } });
      expect(cutover?.failure?.sentence).toContain('prepared transactions');
      expect(cutover?.failure?.sentence).toContain(`it's "prepared"`);
      expect(cutover?.fencedAt).toBeUndefined();
    } finally {
      await withSession(SOURCE, shop.database, (client) => client.query(`COMMIT PREPARED ${gid}`));
    }
    await untilCutOver(handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});
