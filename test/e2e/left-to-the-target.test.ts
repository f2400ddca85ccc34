import { randomBytes } from 'node:crypto';
import type { MigrationRequest, MigrationStatus } from '../../contract';
import { quoteIdentifier } from '../../postgres/connect';
import { Migrations, testRequest } from '../support/migration';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  withSession,
  type Major,
} from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

const SOURCE = 15;
const TARGET = 17;
const suffix = randomBytes(3).toString('hex');
const [user, app] = [`flx_left_${suffix}`, `flx_left_app_${suffix}`];

async function run(major: Major, database: string, ...statements: string[]): Promise<void> {
  await withSession(major, database, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

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

async function migrate(database: string, change: Partial<MigrationRequest> = {}): Promise<MigrationStatus> {
  const migrations = await Migrations.connect();
  const target = { ...testAddress(TARGET), user };
  const asked = testRequest(testAddress(SOURCE), target, { databases: [database], ...change });
  const handle = await migrations.start(asked);
  const worker = WorkerProcess.start({ pool: asked.pool });
  try {
    return await handle.result();
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
