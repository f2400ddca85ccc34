import { randomBytes } from 'node:crypto';
import type { MigrationRequest, MigrationStatus } from '../../contract';
import { itInAll } from '../support/all';
import { Migrations, testRequest } from '../support/migration';
import { replay } from '../support/replay';
import { createTestDatabase, dropTestDatabase, run, testAddress, withSession } from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

/** What would disturb the migration's own work on the target comes after that work. */
const SOURCE = 15;
const TARGET = 17;
const suffix = randomBytes(3).toString('hex');
const [user, analyst] = [`flx_late_${suffix}`, `flx_late_analyst_${suffix}`];

let migrations: Migrations;
let database: string;

beforeAll(async () => {
  migrations = await Migrations.connect();
  for (const major of [SOURCE, TARGET] as const) {
    const roles = [`CREATE ROLE ${user} LOGIN CREATEDB`, `CREATE ROLE ${analyst}`];
    await run(major, 'postgres', ...roles, `GRANT ${analyst} TO ${user}`);
  }
});
beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'flx_late', `OWNER ${user}`);
});
afterEach(async () => {
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});
afterAll(async () => {
  for (const major of [SOURCE, TARGET] as const) {
    await run(major, 'postgres', `DROP ROLE ${user}, ${analyst}`);
  }
  await migrations.close();
});

function asked(targetUser: string, change: Partial<MigrationRequest> = {}): MigrationRequest {
  const target = { ...testAddress(TARGET), user: targetUser };
  return testRequest(testAddress(SOURCE), target, { databases: [database], ...change });
}

async function resultOf(request: MigrationRequest): Promise<MigrationStatus> {
  const handle = await migrations.start(request);
  const worker = WorkerProcess.start({ pool: request.pool });
  try {
    const status = await handle.result();
    await replay(migrations, handle);
    return status;
  } finally {
    await worker.kill();
  }
}

async function migrate(request: MigrationRequest): Promise<void> {
  const state = request.compare ? 'Succeeded' : 'SucceededUnverified';
  expect(await resultOf(request)).toMatchObject({ state, databases: [{ state, differences: [] }] });
}

async function onTarget(query: string): Promise<unknown[]> {
  const { rows } = await withSession(TARGET, database, (client) => client.query<{ n: number }>(query));
  return rows.map(({ n }) => n);
}

itInAll.each([true, false])(
  'an event trigger that refuses whatever is done, compare: %s',
  async (compare) => {
    await run(
      SOURCE,
      database,
      `CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n`,
      `CREATE MATERIALIZED VIEW m AS SELECT count(*)::int AS n FROM t`,
      `CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no %', tg_tag; END$$`,
      `CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION refuse()`,
      `COMMENT ON EVENT TRIGGER refuse IS 'last of all'`,
    );
    await migrate(asked('postgres', { compare }));
    expect(await onTarget('SELECT n FROM m')).toEqual([10]);
    await expect(run(TARGET, database, 'CREATE TABLE u ()')).rejects.toThrow('no CREATE TABLE');
  },
);

it('row security and revoked rights that bind the user of the target', async () => {
  await run(
    SOURCE,
    database,
    `GRANT CREATE ON SCHEMA public TO ${user}, ${analyst}`,
    `CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n`,
    `CREATE MATERIALIZED VIEW seen_by_analyst AS SELECT count(*)::int AS n FROM t`,
    `CREATE MATERIALIZED VIEW above AS SELECT n FROM seen_by_analyst`,
    `CREATE TABLE revoked AS SELECT 1 AS id`,
    `ALTER TABLE t OWNER TO ${user}`,
    `ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE t FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY few ON t USING (id <= 3)`,
    `GRANT SELECT ON t TO ${analyst}`,
    `ALTER MATERIALIZED VIEW seen_by_analyst OWNER TO ${analyst}`,
    `GRANT SELECT ON seen_by_analyst TO ${user}`,
    `ALTER MATERIALIZED VIEW above OWNER TO ${user}`,
    `ALTER TABLE revoked OWNER TO ${user}`,
    `REVOKE ALL ON revoked FROM ${user}`,
    `REFRESH MATERIALIZED VIEW seen_by_analyst`,
    `REFRESH MATERIALIZED VIEW above`,
  );
  await migrate(asked(user));
  expect(await onTarget('SELECT n FROM seen_by_analyst UNION ALL SELECT n FROM above')).toEqual([3, 3]);
  expect(await onTarget('SELECT count(*)::int AS n FROM t')).toEqual([10]);
});

it('a materialized view of the moment is named, for its rows cannot be compared', async () => {
  await run(
    SOURCE,
    database,
    `CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n`,
    `CREATE MATERIALIZED VIEW of_now AS SELECT clock_timestamp() AS at, count(*) FROM t`,
    `CREATE MATERIALIZED VIEW plain AS SELECT count(*) FROM t`,
  );
  const status = await resultOf(asked('postgres'));
  expect(status).toMatchObject({
    state: 'Succeeded',
    databases: [{ notCompared: ['"public"."of_now"'], differences: [] }],
  });
});

it('a later run begins with the source as it was mended meanwhile', async () => {
  // a word that the target has made its own, and that this pg_dump does not quote
  await run(SOURCE, database, 'CREATE TABLE t AS SELECT 1 AS "system_user"');
  const first = asked('postgres');
  expect(await resultOf(first)).toMatchObject({
    state: 'Failed',
    databases: [{ phase: 'PreData', failure: { code: 'StatementRejected' } }],
  });
  await run(SOURCE, database, 'ALTER TABLE t RENAME "system_user" TO who');
  await migrate({ ...first, generation: 2, name: `${first.name}-again` });
  expect(await onTarget('SELECT who AS n FROM t')).toEqual([1]);
});

itInAll(
  'a materialized view that shows all rows keeps them where its owner is bound on the target',
  async () => {
    await run(
      SOURCE,
      database,
      `CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n`,
      `CREATE MATERIALIZED VIEW m AS SELECT count(*)::int AS n FROM t`,
      `ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
      `ALTER TABLE t FORCE ROW LEVEL SECURITY`,
      `CREATE POLICY few ON t USING (id <= 3)`,
    );
    await migrate(asked(user, { noOwner: true, noPrivileges: true }));
    expect(await onTarget('SELECT n FROM m')).toEqual([10]);
  },
);

itInAll('a run goes on from one that failed behind row security and revoked rights', async () => {
  await run(
    SOURCE,
    database,
    `ALTER ROLE ${analyst} CONNECTION LIMIT 1`,
    `GRANT CREATE ON SCHEMA public TO ${user}, ${analyst}`,
    `CREATE TABLE t AS SELECT n AS id FROM generate_series(1, 10) n`,
    `CREATE MATERIALIZED VIEW fails AS
       SELECT (count(*) / (SELECT rolconnlimit + 1 FROM pg_roles WHERE rolname = '${analyst}'))::int AS n FROM t`,
    `GRANT SELECT ON t TO ${analyst}`,
    `ALTER MATERIALIZED VIEW fails OWNER TO ${analyst}`,
    `CREATE TABLE revoked AS SELECT 1 AS id`,
    `ALTER TABLE t OWNER TO ${user}`,
    `ALTER TABLE revoked OWNER TO ${user}`,
    `REVOKE ALL ON revoked FROM ${user}`,
    `ALTER TABLE t ENABLE ROW LEVEL SECURITY`,
    `ALTER TABLE t FORCE ROW LEVEL SECURITY`,
    `CREATE POLICY few ON t USING (id <= 6)`,
    `REFRESH MATERIALIZED VIEW fails`,
  );
  const first = asked(user);
  const failure = { code: 'DataRejected', object: 'REFRESH MATERIALIZED VIEW "public"."fails"' };
  expect(await resultOf(first)).toMatchObject({ state: 'Failed', databases: [{ failure }] });

  await run(TARGET, 'postgres', `ALTER ROLE ${analyst} CONNECTION LIMIT 1`);
  await migrate({ ...first, generation: 2 });
  expect(await onTarget('SELECT count(*)::int AS n FROM t UNION ALL SELECT n FROM fails')).toEqual([10, 3]);
});
