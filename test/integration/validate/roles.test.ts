import { quoteIdentifier } from '../../../postgres/connect';
import { dropTestDatabase, run } from '../../support/servers';
import { dropRoles, newMigrationId } from '../database/support';
import { Databases, of, runValidation } from './support';

const local = `local "${newMigrationId()}"`;
const databases = new Databases();

beforeAll(() => run(14, 'postgres', `CREATE ROLE ${quoteIdentifier(local)}`));

afterAll(async () => {
  await databases.drop();
  await dropRoles(14, local);
});

describe('roles-present', () => {
  const role = quoteIdentifier(local);
  it.each([
    ['owner', { noOwner: true }, ['CREATE TABLE t ()', `ALTER TABLE t OWNER TO ${role}`]],
    ['owner of a type', { noOwner: true }, [`CREATE TYPE e AS ENUM ()`, `ALTER TYPE e OWNER TO ${role}`]],
    [
      'owner of a large object',
      { noOwner: true },
      ['SELECT lo_create(7)', `ALTER LARGE OBJECT 7 OWNER TO ${role}`],
    ],
    ['owner of public', { noOwner: true }, [`ALTER SCHEMA public OWNER TO ${role}`]],
    ['grantee', { noPrivileges: true }, ['CREATE TABLE t ()', `GRANT SELECT ON t TO ${role}`]],
    [
      'grantee of a column',
      { noPrivileges: true },
      ['CREATE TABLE t (a int)', `GRANT SELECT (a) ON t TO ${role}`],
    ],
    [
      'grantee of an extension',
      { noPrivileges: true },
      ['CREATE EXTENSION hstore', `GRANT EXECUTE ON FUNCTION akeys(hstore) TO ${role}`],
    ],
    [
      'default privileges',
      { noPrivileges: true },
      [`ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${role}`],
    ],
    [
      'default privileges of',
      { noPrivileges: true },
      [`ALTER DEFAULT PRIVILEGES FOR ROLE ${role} GRANT SELECT ON TABLES TO PUBLIC`],
    ],
  ])('%s', async (_what, without, statements) => {
    const scenario = await databases.scenario(14, 17, ...statements);
    expect(of(await runValidation(scenario), 'roles-present')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining(role) as string },
    ]);
    const left = await runValidation({ ...scenario, change: without });
    expect(of(left, 'roles-present')).toMatchObject([{ state: 'Succeeded' }]);
  });

  it.each([
    ['policy', [`CREATE TABLE t ()`, `CREATE POLICY p ON t TO ${role} USING (true)`]],
    [
      'user mapping',
      [
        `CREATE EXTENSION postgres_fdw`,
        `CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw`,
        `CREATE USER MAPPING FOR ${role} SERVER s`,
      ],
    ],
  ])('%s, which no option leaves out', async (_what, statements) => {
    const scenario = await databases.scenario(14, 17, ...statements);
    const change = { noOwner: true, noPrivileges: true };
    expect(of(await runValidation({ ...scenario, change }), 'roles-present')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining(role) as string },
    ]);
  });

  it('setting of a role in the database', async () => {
    const scenario = await databases.scenario(14, 17);
    await run(
      14,
      'postgres',
      `ALTER ROLE ${role} IN DATABASE ${quoteIdentifier(scenario.database)} SET work_mem = '5MB'`,
    );
    const validation = await runValidation(scenario);
    expect(of(validation, 'roles-present')).toMatchObject([{ state: 'Failed' }]);
    expect(of(validation, 'settings')).toMatchObject([{ state: 'Warning' }]);
  });
});

it("says what becomes of that which the source's provider owns", async () => {
  const scenario = await databases.scenario(14, 17, 'CREATE TABLE t ()');
  await run(14, 'postgres', 'CREATE ROLE rds_superuser');
  try {
    await run(14, scenario.database, 'ALTER SCHEMA public OWNER TO rds_superuser');
    expect(of(await runValidation(scenario), 'roles-present')).toMatchObject([{ state: 'Succeeded' }]);
    await run(14, scenario.database, 'ALTER TABLE t OWNER TO rds_superuser');
    expect(of(await runValidation(scenario), 'roles-present')).toMatchObject([
      { state: 'Warning', message: expect.stringContaining('"rds_superuser"') as string },
    ]);
  } finally {
    await run(14, scenario.database, 'REASSIGN OWNED BY rds_superuser TO postgres');
    await run(14, 'postgres', 'DROP ROLE rds_superuser');
  }
});

describe('target-rights', () => {
  it('tells whose database it is, and who could create nothing in schema public any more', async () => {
    const owner = `owner_${newMigrationId()}`;
    const scenario = await databases.scenario(15, 17);
    const name = quoteIdentifier(scenario.database);
    for (const major of [15, 17] as const) await run(major, 'postgres', `CREATE ROLE ${owner}`);
    try {
      await run(15, 'postgres', `ALTER DATABASE ${name} OWNER TO ${owner}`);
      await run(17, 'postgres', `CREATE DATABASE ${name}`);
      expect(of(await runValidation(scenario), 'target-rights')).toMatchObject([{ state: 'Succeeded' }]);
      await run(17, scenario.database, 'ALTER SCHEMA public OWNER TO pg_monitor');
      expect(of(await runValidation(scenario), 'target-rights')).toMatchObject([
        {
          state: 'Warning',
          remedy: expect.stringContaining(`GRANT ALL ON SCHEMA public TO "${owner}"`) as string,
        },
      ]);
      await run(17, scenario.database, `GRANT CREATE ON SCHEMA public TO ${owner}`);
      expect(of(await runValidation(scenario), 'target-rights')).toMatchObject([{ state: 'Succeeded' }]);
    } finally {
      await run(15, 'postgres', `ALTER DATABASE ${name} OWNER TO postgres`);
      await dropTestDatabase(17, scenario.database);
      for (const major of [15, 17] as const) await run(major, 'postgres', `DROP ROLE ${owner}`);
    }
  });
});
