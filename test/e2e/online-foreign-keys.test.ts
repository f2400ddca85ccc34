import {
  DEFAULT_LIMITS,
  RECOPY_UPDATE,
  STATUS_QUERY,
  type MigrationStatus,
  type Phase,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import type { MigrationHandle } from '../support/migration';
import { expectReleased, untilCutOver, untilReplication, useOnlineMigrations } from '../support/online';
import { withSession, type Major } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);
beforeAll(() => run(SOURCE, TABLES));

const TABLES = `
  CREATE TABLE owner (id int PRIMARY KEY);
  CREATE TABLE keyless (owner_id int REFERENCES owner, note text);
  COMMENT ON CONSTRAINT keyless_owner_id_fkey ON keyless IS 'waits';
  CREATE UNLOGGED TABLE unlogged (owner_id int PRIMARY KEY REFERENCES owner);
  CREATE TABLE keyed (owner_id int PRIMARY KEY REFERENCES owner);
  CREATE TABLE last_copied (id int);
  INSERT INTO owner SELECT generate_series(1, 1000);
  INSERT INTO keyless SELECT generate_series(1, 1000);
  INSERT INTO unlogged SELECT generate_series(1, 1000);
  INSERT INTO keyed SELECT generate_series(1, 1000)`;

function run(major: Major, sql: string): Promise<{ rows: { name: string }[] }> {
  return withSession(major, shop.database, (client) => client.query<{ name: string }>(sql));
}

async function namesOnTarget(sql: string): Promise<string[]> {
  return (await run(TARGET, sql)).rows.map(({ name }) => name);
}

const foreignKeys = () =>
  namesOnTarget(`SELECT conname AS name FROM pg_constraint WHERE confrelid = 'owner'::regclass ORDER BY 1`);

const isCopied = async () =>
  (
    await namesOnTarget(
      `SELECT table_name AS name FROM flexlift.table_load JOIN flexlift.part USING (table_oid)
        WHERE table_name IN ('owner', 'keyless', 'unlogged', 'keyed') AND copied_at IS NOT NULL`,
    )
  ).length === 4;

async function phaseOf(handle: MigrationHandle): Promise<Phase | undefined> {
  const { databases } = await handle.query<MigrationStatus>(STATUS_QUERY);
  return databases[0]?.phase;
}

it('a foreign key of a table whose deletes are not in the stream waits for the cutover and stops nothing', async () => {
  // what is in one group shares a transaction
  const migration = await start({ limits: { ...DEFAULT_LIMITS, groupTables: 1 } });
  const { handle, request } = migration;
  shop.startWorker(request.pool);
  await eventually('the schema', async () => {
    const [name] = await namesOnTarget(`SELECT to_regclass('last_copied') AS name`).catch(() => []);
    return typeof name === 'string';
  });
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; LOCK TABLE last_copied IN SHARE MODE');
    await eventually('the copies', isCopied);
    for (const table of ['keyless', 'unlogged', 'keyed']) {
      await run(SOURCE, `DELETE FROM ${table} WHERE owner_id <= 500`);
    }
    await run(SOURCE, 'DELETE FROM owner WHERE id <= 500');
    expect(await phaseOf(handle)).toBe('Load');
    await client.query('ROLLBACK');
  });

  await untilReplication(handle, 'ReadyForCutover');
  expect(await foreignKeys()).toEqual(['keyed_owner_id_fkey']);
  const { databases } = await handle.query<MigrationStatus>(STATUS_QUERY);
  expect(databases[0]?.replication?.waitingForeignKeys).toBe(2);
  await untilCutOver(handle);
  await expectReleased(shop, migration, [SOURCE, TARGET]);
  expect(await foreignKeys()).toEqual([
    'keyed_owner_id_fkey',
    'keyless_owner_id_fkey',
    'unlogged_owner_id_fkey',
  ]);
});

itInAll('a foreign key that is being built keeps nobody from copying all tables anew', async () => {
  const migration = await start();
  const { handle, request } = migration;
  shop.startWorker(request.pool);
  await eventually('the copies', () => isCopied().catch(() => false));
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; LOCK TABLE keyless IN ROW EXCLUSIVE MODE');
    await eventually('a foreign key that waits', async () => {
      const waiting = await namesOnTarget(
        `SELECT query AS name FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'FOREIGN KEY'`,
      );
      return waiting.length > 0;
    });
    await handle.executeUpdate(RECOPY_UPDATE, { args: [{}] });
    await eventually('the new copy', async () => (await phaseOf(handle)) !== 'Replicate');
    await client.query('ROLLBACK');
  });
  await untilReplication(handle, 'ReadyForCutover');
  await untilCutOver(handle);
  await expectReleased(shop, migration, [SOURCE, TARGET]);
});
