import { randomBytes } from 'node:crypto';
import type { MigrationRequest, MigrationStatus } from '../../contract';
import { quoteIdentifier } from '../../postgres/connect';
import { Migrations, testRequest } from '../support/migration';
import {
  createTestDatabase,
  dropTestDatabase,
  run,
  testAddress,
  withSession,
  type Major,
} from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

const SOURCE = 15;
const TARGET = 17;
const suffix = randomBytes(3).toString('hex');
const [user, app] = [`flx_left_${suffix}`, `flx_left_app_${suffix}`];

beforeAll(async () => {
  for (const major of [SOURCE, TARGET] as const) {
    await run(
      major,
      'postgres',
      `CREATE ROLE ${user} LOGIN CREATEDB`,
      `CREATE ROLE ${app}`,
      `GRANT ${app} TO ${user}`,
    );
  }
});
afterAll(async () => {
  for (const major of [SOURCE, TARGET] as const) await run(major, 'postgres', `DROP ROLE ${user}, ${app}`);
});

/** As a flexible server has it in every database: another one's parts, under Azure's name. */
async function createManaged(major: Major, database: string, name: string, like: string): Promise<void> {
  await run(
    major,
    database,
    `CREATE EXTENSION ${like} SCHEMA pg_catalog`,
    `CREATE SCHEMA ${name}`,
    `ALTER EXTENSION ${like} ADD SCHEMA ${name}`,
    `CREATE TABLE ${name}.state AS SELECT 1 AS a`,
    `CREATE SEQUENCE ${name}.states`,
    `ALTER EXTENSION ${like} ADD TABLE ${name}.state`,
    `ALTER EXTENSION ${like} ADD SEQUENCE ${name}.states`,
    `UPDATE pg_extension SET extname = '${name}', extcondition = '{"",""}',
            extconfig = ARRAY['${name}.state'::regclass, '${name}.states'::regclass] WHERE extname = '${like}'`,
  );
}

/** Its table hands pg_dump what users put there, which is nothing; on the target it is the provider's. */
async function createWithTable(major: Major, database: string): Promise<void> {
  await run(
    major,
    database,
    `CREATE EXTENSION fuzzystrmatch SCHEMA pg_catalog`,
    `CREATE SCHEMA words`,
    `CREATE TABLE words.kept AS SELECT 1 AS a`,
    `GRANT USAGE ON SCHEMA words TO ${user}`,
    `GRANT SELECT ON words.kept TO ${user}`,
    `ALTER EXTENSION fuzzystrmatch ADD SCHEMA words`,
    `ALTER EXTENSION fuzzystrmatch ADD TABLE words.kept`,
    `UPDATE pg_extension SET extcondition = '{WHERE a > 1}', extconfig = ARRAY['words.kept'::regclass]
      WHERE extname = 'fuzzystrmatch'`,
  );
}

async function migrate(
  database: string,
  change: Partial<MigrationRequest> = {},
  look: () => Promise<void> = () => Promise.resolve(),
): Promise<MigrationStatus> {
  const migrations = await Migrations.connect();
  const target = { ...testAddress(TARGET), user };
  const asked = testRequest(testAddress(SOURCE), target, { databases: [database], ...change });
  const handle = await migrations.start(asked);
  const worker = WorkerProcess.start({ pool: asked.pool });
  try {
    const status = await handle.result();
    await look();
    return status;
  } finally {
    await worker.kill();
    await migrations.close();
    await dropTestDatabase(SOURCE, database);
    await dropTestDatabase(TARGET, database);
  }
}

it.each([`ALTER SCHEMA public OWNER TO ${app}`, 'DROP SCHEMA public'])(
  'into a database of somebody else, after %s',
  async (change) => {
    const database = await createTestDatabase(SOURCE, 'flx_left', `OWNER ${user}`);
    const name = quoteIdentifier(database);
    await run(
      SOURCE,
      database,
      change,
      `COMMENT ON DATABASE ${name} IS 'said on the source'`,
      `CREATE SCHEMA s AUTHORIZATION ${user}; CREATE TABLE s.t AS SELECT 1 AS a; ALTER TABLE s.t OWNER TO ${user}`,
    );
    await createManaged(SOURCE, database, 'azure', 'hstore');
    await createWithTable(SOURCE, database);
    await run(TARGET, 'postgres', `CREATE DATABASE ${name} TEMPLATE template0`);
    await createManaged(TARGET, database, 'pgaadauth', 'citext');
    await createWithTable(TARGET, database);
    await run(
      TARGET,
      database,
      `GRANT CREATE ON DATABASE ${name} TO ${user}`,
      `GRANT CREATE ON SCHEMA public TO ${user}`,
    );
    const status = await migrate(database, { noPrivileges: true });
    expect(status).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
  },
);

it('objects of roles that may create them by rights that come later', async () => {
  const database = await createTestDatabase(SOURCE, 'flx_left', `OWNER ${app}`);
  await run(
    SOURCE,
    database,
    `CREATE TABLE t (a int PRIMARY KEY)`,
    `CREATE SCHEMA s AUTHORIZATION ${user}`,
    `GRANT CREATE ON SCHEMA s TO ${app}`,
    `CREATE TYPE s.e AS ENUM ('x')`,
    `CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `CREATE VIEW s.v AS SELECT a FROM t`,
    `CREATE PUBLICATION p FOR TABLE t`,
    ...['TABLE t', 'TYPE s.e', 'FUNCTION s.f()', 'VIEW s.v', 'PUBLICATION p'].map(
      (object) => `ALTER ${object} OWNER TO ${app}`,
    ),
  );
  const status = await migrate(database);
  expect(status).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
});

it('a database as Cloud SQL makes it', async () => {
  await run(SOURCE, 'postgres', 'CREATE ROLE cloudsqlsuperuser', 'CREATE ROLE cloudsqladmin');
  const database = await createTestDatabase(SOURCE, 'flx_left', 'OWNER cloudsqlsuperuser');
  await run(
    SOURCE,
    database,
    'ALTER SCHEMA public OWNER TO cloudsqlsuperuser',
    'CREATE SCHEMA google_vacuum_mgmt AUTHORIZATION cloudsqladmin',
    'GRANT USAGE ON SCHEMA google_vacuum_mgmt TO cloudsqlsuperuser',
    'CREATE EXTENSION hstore SCHEMA google_vacuum_mgmt',
    `UPDATE pg_extension SET extname = 'google_vacuum_mgmt' WHERE extname = 'hstore'`,
    'CREATE TABLE google_vacuum_mgmt.state AS SELECT 1 AS a',
    'ALTER TABLE google_vacuum_mgmt.state OWNER TO cloudsqladmin',
    'CREATE TABLE t AS SELECT 1 AS a',
    `GRANT SELECT ON t TO ${app}`,
    'ALTER TABLE t OWNER TO cloudsqlsuperuser',
    'REVOKE TRIGGER ON t FROM cloudsqlsuperuser',
    `CREATE SCHEMA s AUTHORIZATION ${app}; CREATE TABLE s.t (a int); ALTER TABLE s.t OWNER TO ${app}`,
    'GRANT ALL ON SCHEMA s TO cloudsqlsuperuser; GRANT SELECT ON s.t TO cloudsqlsuperuser WITH GRANT OPTION',
    'GRANT UPDATE (a) ON s.t TO cloudsqlsuperuser; GRANT UPDATE (a) ON t TO cloudsqlsuperuser',
    `SET ROLE cloudsqlsuperuser; GRANT SELECT ON s.t TO ${user}; RESET ROLE`,
    `SELECT lo_create(8); ALTER LARGE OBJECT 8 OWNER TO ${app}; GRANT SELECT ON LARGE OBJECT 8 TO cloudsqlsuperuser`,
    'SELECT lo_create(7)',
    'ALTER LARGE OBJECT 7 OWNER TO cloudsqlsuperuser',
  );
  let owners: unknown;
  try {
    const status = await migrate(database, {}, async () => {
      owners = await withSession(TARGET, database, async (client) => {
        const { rows } = await client.query<object>(OWNERS);
        return rows;
      });
    });
    expect(status).toMatchObject({ state: 'Succeeded', databases: [{ differences: [] }] });
    const others = { database: user, table: user, schema: null };
    expect(owners).toEqual([
      { ...others, object: user },
      { ...others, object: app },
    ]);
  } finally {
    await run(SOURCE, 'postgres', 'DROP ROLE cloudsqlsuperuser, cloudsqladmin');
  }
});

const OWNERS = `
  SELECT pg_get_userbyid(d.datdba) AS database, pg_get_userbyid(c.relowner) AS table,
         pg_get_userbyid(o.lomowner) AS object, to_regnamespace('google_vacuum_mgmt')::text AS schema
    FROM pg_database d, pg_class c, pg_largeobject_metadata o
   WHERE d.datname = current_database() AND c.oid = 't'::regclass ORDER BY o.oid`;
