import { quoteIdentifier } from '../../../postgres/connect';
import { createTestDatabase, dropTestDatabase, run } from '../../support/servers';
import { createNamed, dropRoles, leaveInvalid, newMigrationId } from '../database/support';
import { complaints, of, runValidation } from './support';

const suffix = newMigrationId();
const owner = `own er_${suffix}`;
const reader = `reader_${suffix}`;
const migrator = `migrator_${suffix}`;
const SOURCE = 14;
const TARGET = 17;

let database: string;
let scenario: {
  source: typeof SOURCE;
  target: typeof TARGET;
  databases: string[];
  sourceUser: string;
  targetUser: string;
};

beforeAll(async () => {
  await run(
    SOURCE,
    'postgres',
    `CREATE ROLE ${quoteIdentifier(owner)}`,
    `CREATE ROLE ${reader} LOGIN`,
    `CREATE ROLE ${migrator}`,
  );
  await run(
    TARGET,
    'postgres',
    `CREATE ROLE ${quoteIdentifier(owner)}`,
    `CREATE ROLE ${reader}`,
    `CREATE ROLE ${migrator} LOGIN CREATEDB CREATEROLE`,
    `GRANT ${quoteIdentifier(owner)} TO ${migrator}`,
  );
});

beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'validate_rights');
  const name = quoteIdentifier(database);
  await run(
    SOURCE,
    database,
    `ALTER DATABASE ${name} OWNER TO ${quoteIdentifier(owner)}`,
    `CREATE SCHEMA app`,
    `CREATE TABLE app."Orders ""1" (id bigserial PRIMARY KEY)`,
    `CREATE TABLE app.identity (id integer GENERATED ALWAYS AS IDENTITY)`,
    `CREATE MATERIALIZED VIEW app.mv AS SELECT 1 AS one`,
    `SELECT lo_create(4711)`,
    `GRANT SELECT ON LARGE OBJECT 4711 TO ${reader}`,
    `GRANT USAGE ON SCHEMA app TO ${reader}`,
    `GRANT SELECT ON ALL TABLES IN SCHEMA app TO ${reader}`,
    `GRANT SELECT ON ALL SEQUENCES IN SCHEMA app TO ${reader}`,
    ...[
      'SCHEMA app',
      `TABLE app."Orders ""1"`,
      'TABLE app.identity',
      'MATERIALIZED VIEW app.mv',
      'LARGE OBJECT 4711',
    ].map((object) => `ALTER ${object} OWNER TO ${quoteIdentifier(owner)}`),
  );
  scenario = {
    source: SOURCE,
    target: TARGET,
    databases: [database],
    sourceUser: reader,
    targetUser: migrator,
  };
});

afterEach(async () => {
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});

afterAll(async () => {
  await dropRoles(SOURCE, owner, reader, migrator);
  await dropRoles(TARGET, owner, reader, migrator);
});

it('needs no superuser on either side', async () => {
  expect(complaints(await runValidation(scenario))).toEqual([]);
});

describe('rights on the source', () => {
  it.each([
    [`REVOKE USAGE ON SCHEMA app FROM ${reader}`, 'GRANT USAGE ON SCHEMA "app"'],
    [`REVOKE SELECT ON app."Orders ""1" FROM ${reader}`, 'GRANT SELECT ON TABLE "app"."Orders ""1"'],
    [`REVOKE SELECT ON app.mv FROM ${reader}`, 'GRANT SELECT ON TABLE "app"."mv"'],
    [
      `REVOKE SELECT ON app.identity_id_seq FROM ${reader}`,
      'GRANT SELECT ON SEQUENCE "app"."identity_id_seq"',
    ],
    [`REVOKE SELECT ON ALL TABLES IN SCHEMA app FROM ${reader}`, 'ON ALL TABLES IN SCHEMA "app"'],
    [`REVOKE SELECT ON LARGE OBJECT 4711 FROM ${reader}`, 'LARGE OBJECT 4711'],
  ])('%s', async (statement, remedy) => {
    await run(SOURCE, database, statement);
    expect(of(await runValidation(scenario), 'source-rights')).toMatchObject([
      { state: 'Failed', database, remedy: expect.stringContaining(remedy) as string },
    ]);
  });

  it('misses CONNECT', async () => {
    await run(SOURCE, 'postgres', `REVOKE CONNECT ON DATABASE ${quoteIdentifier(database)} FROM PUBLIC`);
    const validation = await runValidation(scenario);
    expect(of(validation, 'source-rights')).toMatchObject([{ state: 'Failed', database }]);
  });

  it('counts the configuration tables of extensions, which are migrated, and no others', async () => {
    await run(SOURCE, database, 'CREATE EXTENSION hstore');
    expect(complaints(await runValidation(scenario))).toEqual([]);
    await run(SOURCE, database, `ALTER EXTENSION hstore ADD TABLE app."Orders ""1"`);
    await run(SOURCE, database, `REVOKE SELECT ON app."Orders ""1" FROM ${reader}`);
    expect(of(await runValidation(scenario), 'source-rights')).toMatchObject([{ state: 'Succeeded' }]);
    await run(
      SOURCE,
      database,
      `UPDATE pg_extension SET extconfig = ARRAY['app."Orders ""1"'::regclass::oid], extcondition = ARRAY['']
        WHERE extname = 'hstore'`,
    );
    expect(of(await runValidation(scenario), 'source-rights')).toMatchObject([{ state: 'Failed' }]);
  });

  it('sees policies that would hide rows, and who is exempt', async () => {
    await run(SOURCE, database, `ALTER TABLE app."Orders ""1" ENABLE ROW LEVEL SECURITY`);
    const [finding] = of(await runValidation(scenario), 'row-level-security');
    expect(finding).toMatchObject({
      state: 'Failed',
      message: expect.stringContaining('"app"."Orders ""1"') as string,
    });
    // nobody copies an extension's own table
    await run(
      SOURCE,
      database,
      'CREATE EXTENSION citext',
      `ALTER EXTENSION citext ADD TABLE app."Orders ""1"`,
    );
    expect(of(await runValidation(scenario), 'row-level-security')).toMatchObject([{ state: 'Succeeded' }]);
    await run(SOURCE, database, `ALTER EXTENSION citext DROP TABLE app."Orders ""1"`);
    await run(SOURCE, database, `ALTER ROLE ${reader} BYPASSRLS`);
    expect(of(await runValidation(scenario), 'row-level-security')).toMatchObject([{ state: 'Succeeded' }]);
    await run(
      SOURCE,
      database,
      `ALTER ROLE ${reader} NOBYPASSRLS`,
      `GRANT ${quoteIdentifier(owner)} TO ${reader}`,
    );
    expect(of(await runValidation(scenario), 'row-level-security')).toMatchObject([{ state: 'Succeeded' }]);
    await run(SOURCE, database, `ALTER TABLE app."Orders ""1" FORCE ROW LEVEL SECURITY`);
    expect(of(await runValidation(scenario), 'row-level-security')).toMatchObject([{ state: 'Failed' }]);
    await run(SOURCE, database, `REVOKE ${quoteIdentifier(owner)} FROM ${reader}`);
  });
});

describe('rights on the target', () => {
  it('needs CREATEDB to make databases', async () => {
    await run(TARGET, 'postgres', `ALTER ROLE ${migrator} NOCREATEDB`);
    const validation = await runValidation(scenario);
    await run(TARGET, 'postgres', `ALTER ROLE ${migrator} CREATEDB`);
    expect(of(validation, 'target-rights')).toMatchObject([
      { state: 'Failed', remedy: expect.stringContaining('CREATEDB') as string },
    ]);
  });

  it('needs CREATE in a database that stands there already', async () => {
    await createNamed(TARGET, database);
    const name = quoteIdentifier(database);
    const remedies: (string | undefined)[] = [];
    const ask = async () => {
      const [finding] = of(await runValidation(scenario), 'target-rights');
      remedies.push(finding?.remedy);
    };
    await ask();
    await run(TARGET, database, `GRANT CREATE ON DATABASE ${name} TO ${migrator}`);
    await ask();
    await run(TARGET, database, `GRANT CREATE ON SCHEMA public TO ${migrator}`);
    await ask();
    await run(TARGET, database, `ALTER DATABASE ${name} OWNER TO ${migrator}`);
    await ask();
    expect(remedies).toEqual([
      expect.stringContaining('GRANT CREATE ON DATABASE'),
      expect.stringContaining('GRANT CREATE ON SCHEMA public'),
      expect.stringContaining('OWNER TO'),
      undefined,
    ]);
  });

  it('cannot replace what belongs to another', async () => {
    await createNamed(TARGET, database);
    await run(TARGET, database, 'CREATE TABLE t ()');
    const found = async () =>
      of(await runValidation({ ...scenario, change: { overwrite: true } }), 'target-rights');
    const refused = [{ state: 'Failed', message: expect.stringContaining('drop') as string }];
    expect(await found()).toMatchObject(refused);
    await leaveInvalid(TARGET, database);
    expect(await found()).toMatchObject(refused);
  });

  it('must be a member of the owners, unless they are left out', async () => {
    await run(TARGET, 'postgres', `REVOKE ${quoteIdentifier(owner)} FROM ${migrator}`);
    const without = await runValidation(scenario);
    const noOwner = await runValidation({ ...scenario, change: { noOwner: true } });
    await run(TARGET, 'postgres', `GRANT ${quoteIdentifier(owner)} TO ${migrator} WITH INHERIT FALSE`);
    const withoutRights = await runValidation(scenario);
    await run(TARGET, 'postgres', `GRANT ${quoteIdentifier(owner)} TO ${migrator} WITH INHERIT TRUE`);
    for (const found of [without, withoutRights]) {
      expect(of(found, 'target-rights')).toMatchObject([
        { state: 'Failed', message: expect.stringContaining(quoteIdentifier(owner)) as string },
      ]);
    }
    expect(complaints(noOwner)).toEqual([]);
  });
});
