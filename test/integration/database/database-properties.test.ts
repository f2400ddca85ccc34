import { databaseProperties, listUserDatabases } from '../../../postgres/catalog';
import { quoteIdentifier } from '../../../postgres/connect';
import {
  applyDatabaseProperties,
  createTargetDatabase,
  releaseTargetDatabase,
} from '../../../postgres/database';
import { dropTestDatabase, run, testEndpoint, withSession, type Major } from '../../support/servers';
import { asUser, createArguments, createNamed, dropRoles, ledgerOf, newMigrationId } from './support';

const signal = new AbortController().signal;
const suffix = newMigrationId();
const owner = `Own'er "${suffix}"`;
const reader = `reader.${suffix}`;
const migrator = `migrator_${suffix}`;
const MAJORS_USED: Major[] = [11, 14, 15, 17, 18];
const made: [Major, string][] = [];

async function newSource(major: Major, name: string, options = ''): Promise<string> {
  const database = `${name} ${suffix}`;
  made.push([major, database]);
  await createNamed(major, database, options);
  return database;
}

beforeAll(async () => {
  for (const major of MAJORS_USED) {
    await run(
      major,
      'postgres',
      `CREATE ROLE ${quoteIdentifier(owner)}`,
      `CREATE ROLE ${quoteIdentifier(reader)} LOGIN`,
      `CREATE ROLE ${migrator} LOGIN CREATEDB CREATEROLE`,
      `GRANT ${quoteIdentifier(owner)} TO ${migrator} ${major >= 16 ? 'WITH INHERIT FALSE, SET TRUE' : ''}`,
      `GRANT ${quoteIdentifier(reader)} TO ${migrator} WITH ADMIN OPTION`,
    );
  }
});

afterAll(async () => {
  for (const [, database] of made) {
    for (const major of MAJORS_USED) await dropTestDatabase(major, database);
  }
  for (const major of MAJORS_USED) await dropRoles(major, owner, reader, migrator);
});

/** Creates, gives properties and releases as a plain user with CREATEDB and CREATEROLE. */
async function migrateProperties(
  source: Major,
  target: Major,
  database: string,
  options = { noOwner: false, noPrivileges: false },
  user = migrator,
) {
  const args = createArguments(source, target, database, {
    target: asUser(testEndpoint(target, 'target'), user),
    source: asUser(testEndpoint(source, 'source'), user),
  });
  made.push([target, database]);
  await createTargetDatabase(args);
  const first = await applyDatabaseProperties(args);
  expect(await applyDatabaseProperties(args)).toEqual(first);
  await releaseTargetDatabase({ ...args, ...options, report: {}, lastCheck: () => Promise.resolve() });
  await releaseTargetDatabase({ ...args, ...options, report: {}, lastCheck: () => Promise.resolve() });
  return first;
}

async function propertiesOf(major: Major, database: string) {
  return await withSession(major, database, databaseProperties);
}

it.each([
  [11, 15],
  [14, 17],
  [15, 18],
] as [Major, Major][])('%d to %d: every property arrives, as a plain user', async (source, target) => {
  const database = await newSource(source, `Prop'er"ty.🐘 ${source}`);
  const name = quoteIdentifier(database);
  await run(
    source,
    database,
    `COMMENT ON DATABASE ${name} IS E'It''s a \\\\ "comment"\nof two lines 🐘'`,
    `ALTER DATABASE ${name} SET work_mem = '7MB'`,
    `ALTER DATABASE ${name} SET search_path = '"$user"', 'a "quoted", one', public`,
    `ALTER DATABASE ${name} SET default_transaction_read_only = on`,
    `ALTER DATABASE ${name} SET statement_timeout = '2s'`,
    `ALTER ROLE ${quoteIdentifier(reader)} IN DATABASE ${name} SET TimeZone = 'Asia/Tokyo'`,
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`,
    `GRANT CONNECT ON DATABASE ${name} TO ${quoteIdentifier(reader)} WITH GRANT OPTION`,
    `GRANT CONNECT ON DATABASE ${name} TO ${migrator}`,
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)}`,
    `ALTER DATABASE ${name} CONNECTION LIMIT 3`,
  );
  expect(await migrateProperties(source, target, database)).toEqual({ skipped: [] });
  expect(await propertiesOf(target, database)).toEqual(await propertiesOf(source, database));
  expect(await ledgerOf(target, database)).toMatchObject({ state: 'released' });
});

it('leaves owner and rights alone where told so', async () => {
  const database = await newSource(14, 'no_owner');
  const name = quoteIdentifier(database);
  await run(
    14,
    database,
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)}`,
    `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
  );
  await migrateProperties(14, 17, database, { noOwner: true, noPrivileges: true });
  const untouched = await newSource(17, 'no_owner of nobody', `OWNER ${migrator}`);
  const { grants } = await propertiesOf(17, untouched);
  expect(await propertiesOf(17, database)).toMatchObject({ owner: migrator, grants });
});

it('hands the rights of the owner to ours where only the owner is left out', async () => {
  const database = await newSource(14, 'no_owner_but_rights');
  const name = quoteIdentifier(database);
  await run(
    14,
    database,
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)}`,
    `REVOKE TEMPORARY ON DATABASE ${name} FROM PUBLIC`,
  );
  await migrateProperties(14, 17, database, { noOwner: true, noPrivileges: false });
  const { grants } = await propertiesOf(17, database);
  expect(new Set(grants?.map((grant) => grant.grantee))).toEqual(new Set([undefined, migrator]));
});

it('14 to 17: settings of an application and of a superuser arrive, as a superuser', async () => {
  const database = await newSource(14, 'app settings');
  const name = quoteIdentifier(database);
  await run(
    14,
    database,
    `ALTER DATABASE ${name} SET app.tenant = E'x, "y" \\\\ ''z'' é'`,
    `ALTER DATABASE ${name} SET log_statement = 'all'`,
    `ALTER DATABASE ${name} SET session_preload_libraries = 'auto_explain', 'pg_stat_statements'`,
    `ALTER ROLE postgres IN DATABASE ${name} SET search_path = ''`,
  );
  const options = { noOwner: false, noPrivileges: false };
  expect(await migrateProperties(14, 17, database, options, 'postgres')).toEqual({ skipped: [] });
  expect(await propertiesOf(17, database)).toEqual(await propertiesOf(14, database));
});

it('leaves settings out by rules with names', async () => {
  const database = await newSource(14, 'settings');
  const name = quoteIdentifier(database);
  await run(
    14,
    database,
    `ALTER DATABASE ${name} SET default_tablespace = 'pg_default'`,
    `ALTER DATABASE ${name} SET log_statement = 'all'`,
    `ALTER DATABASE ${name} SET app.tenant = '1'`,
    `ALTER DATABASE ${name} SET force_parallel_mode = on`,
    `ALTER ROLE postgres IN DATABASE ${name} SET work_mem = '9MB'`,
    `ALTER DATABASE ${name} SET maintenance_work_mem = '9MB'`,
  );
  const { skipped } = await migrateProperties(14, 17, database, { noOwner: true, noPrivileges: true });
  const rules = Object.fromEntries(skipped.map(({ setting, rule }) => [setting.name, rule]));
  expect(rules).toEqual({
    default_tablespace: 'tablespace-setting',
    log_statement: 'not-permitted',
    'app.tenant': 'not-permitted',
    force_parallel_mode: 'unknown-setting',
    work_mem: 'role-not-alterable',
  });
  expect((await propertiesOf(17, database)).settings).toEqual([
    { name: 'maintenance_work_mem', value: '9MB' },
  ]);
});

describe('encodings, locales and providers', () => {
  it.each([
    [11, 18, `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`],
    [14, 15, `ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C'`],
    [15, 17, `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C.UTF-8'`],
    [17, 18, `ENCODING 'UTF8' LOCALE_PROVIDER icu ICU_LOCALE 'und' ICU_RULES '&a < g' LOCALE 'C'`],
    [17, 18, `ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'`],
    [14, 18, `ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`],
    [14, 17, `ENCODING 'EUC_JP' LC_COLLATE 'C' LC_CTYPE 'C'`],
  ] as [Major, Major, string][])('%d to %d: %s', async (source, target, options) => {
    // the name has characters that LATIN1 and EUC_JP lack
    const database = await newSource(source, `loc 🐘 ${source} ${made.length}`, options);
    await withSession(source, 'postgres', (client) =>
      client.query(`ALTER DATABASE ${quoteIdentifier(database)} SET work_mem = '8MB'`),
    );
    await migrateProperties(source, target, database, { noOwner: true, noPrivileges: true });
    const before = await propertiesOf(source, database);
    const after = await propertiesOf(target, database);
    const grants = before.grants.map((grant) =>
      grant.grantee === before.owner ? { ...grant, grantee: migrator } : grant,
    );
    expect(after).toEqual({
      ...before,
      owner: migrator,
      grants: expect.arrayContaining(grants) as unknown,
    });
  });

  it('reads and sets a comment in the encoding of the database', async () => {
    const database = await newSource(14, 'comment é', `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await run(
      14,
      database,
      `DO $do$ BEGIN EXECUTE 'COMMENT ON DATABASE ' || quote_ident(current_database()) || ' IS ''Käse''';
       END $do$`,
    );
    await migrateProperties(14, 17, database, { noOwner: true, noPrivileges: true });
    expect(await propertiesOf(17, database)).toMatchObject({ encoding: 'LATIN1', comment: 'Käse' });
  });
});

describe('the databases of a server', () => {
  it.each([11, 15] as Major[])(
    '%d: are those of users, in order, whatever they are called',
    async (major) => {
      const one = await newSource(major, 'Zeta "ü"');
      const other = await newSource(major, 'alpha');
      const staging = `flexlift_${suffix}_0123456789abcdef`;
      made.push([major, staging]);
      await createNamed(major, staging);
      const names = await listUserDatabases(testEndpoint(major, 'source'), signal);
      expect(names).toEqual(expect.arrayContaining([one, other]));
      expect(names.indexOf(one)).toBeLessThan(names.indexOf(other));
      expect(names).not.toContain('template1');
      expect(names).not.toContain(staging);
    },
  );
});
