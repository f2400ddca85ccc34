import { run, withSession } from '../../support/servers';
import { dropRoles, newMigrationId } from '../database/support';
import { complaints, Databases, of, runValidation } from './support';

const suffix = newMigrationId();
const plain = `plain_${suffix}`;
const databases = new Databases();

beforeAll(() => run(17, 'postgres', `CREATE ROLE ${plain} LOGIN CREATEDB CREATEROLE`));

afterAll(async () => {
  await databases.drop();
  await dropRoles(17, plain);
});

it('names what only a superuser may create', async () => {
  const scenario = await databases.scenario(
    14,
    17,
    `CREATE FUNCTION in_c() RETURNS trigger LANGUAGE c AS '$libdir/refint', 'check_primary_key'`,
    `CREATE FUNCTION tight(a int) RETURNS int LANGUAGE sql LEAKPROOF AS 'SELECT a'`,
    'CREATE TYPE shell',
    `CREATE TYPE color AS ENUM ('r')`,
    'CREATE CAST (color AS text) WITH INOUT',
    'CREATE OPERATOR FAMILY fam USING btree',
    `CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
    'CREATE EVENT TRIGGER ev_t ON ddl_command_end EXECUTE FUNCTION ev()',
    'CREATE PUBLICATION everything FOR ALL TABLES',
    'CREATE FOREIGN DATA WRAPPER wrapper',
  );
  expect(of(await runValidation(scenario), 'superuser-objects')).toMatchObject([{ state: 'Succeeded' }]);
  const validation = await runValidation({ ...scenario, targetUser: plain, change: { noOwner: true } });
  const kinds = of(validation, 'superuser-objects').map(
    (finding) => /create (.*?):/.exec(finding.message)?.[1],
  );
  expect(kinds).toEqual([
    'functions in C',
    'leakproof functions',
    'operator classes and families',
    'foreign data wrappers',
    'event triggers',
    'publications of all tables',
  ]);
});

it('names publications of whole schemas, which there are from 15 on', async () => {
  const scenario = await databases.scenario(15, 17, 'CREATE PUBLICATION whole FOR TABLES IN SCHEMA public');
  const validation = await runValidation({ ...scenario, targetUser: plain, change: { noOwner: true } });
  expect(of(validation, 'superuser-objects')).toMatchObject([
    { state: 'Failed', message: expect.stringContaining('in a schema: publication whole.') as string },
  ]);
});

it('names untrusted languages', async () => {
  const scenario = await databases.scenario(
    14,
    17,
    `CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'`,
    'CREATE LANGUAGE wild HANDLER handler',
    `CREATE FUNCTION f() RETURNS int LANGUAGE wild AS ''`,
  );
  const validation = await runValidation({ ...scenario, targetUser: plain, change: { noOwner: true } });
  expect(of(validation, 'languages')).toMatchObject([
    { state: 'Failed', message: expect.stringContaining('wild') as string },
  ]);
});

it('names tables partitioned by the hash of texts that the target has in another encoding', async () => {
  const database = await databases.create(14, `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
  databases.adopt(17, database);
  const partitioned = (name: string, type: string, by: string) =>
    `CREATE TABLE ${name} (n int, v ${type}) PARTITION BY HASH (${by});
     CREATE TABLE ${name}_0 PARTITION OF ${name} FOR VALUES WITH (MODULUS 2, REMAINDER 0)`;
  await run(
    14,
    database,
    'CREATE DOMAIN word AS varchar(9)',
    partitioned('a_text', 'text', 'n, v'),
    partitioned('b_words', 'word[]', 'v'),
    partitioned('c_json', 'jsonb', 'v'),
    partitioned('d_number', 'text', 'n'),
    partitioned('e_bytes', 'bytea', 'v'),
  );
  const scenario = { source: 14, target: 17, databases: [database], change: { compare: false } } as const;
  const found = async () =>
    of(await runValidation({ ...scenario, databases: [database] }), 'hash-partitions');
  expect(await found()).toMatchObject([{ state: 'Succeeded' }]);
  await run(17, 'postgres', `CREATE DATABASE ${database} TEMPLATE template0 ENCODING 'UTF8'`);
  expect(await found()).toMatchObject([
    {
      state: 'Warning',
      message: expect.stringMatching(
        /LATIN1 to UTF8: .*: "public"\."a_text", "public"\."b_words", "public"\."c_json"\.$/,
      ) as string,
    },
  ]);
});

it.each([[11], [18]] as const)(
  'names tables partitioned by the hash of what has another OID on the target, from %i',
  async (major) => {
    const partitioned = (name: string, type: string, by: string) => {
      const values = by.startsWith('HASH') ? 'FOR VALUES WITH (MODULUS 2, REMAINDER 0)' : 'DEFAULT';
      return [
        `CREATE TABLE "${name}" (n int, v ${type}) PARTITION BY ${by}`,
        `CREATE TABLE "${name}_0" PARTITION OF "${name}" ${values}`,
      ];
    };
    const types = [
      `CREATE TYPE color AS ENUM ('red', 'green')`,
      'CREATE DOMAIN shade AS color',
      'CREATE TYPE colors AS RANGE (subtype = color)',
      'CREATE TYPE priced AS (price int, color color)',
      `CREATE FUNCTION by_text(color, bigint) RETURNS bigint IMMUTABLE LANGUAGE sql
         AS 'SELECT hashtextextended(enum_out($1)::text, $2)'`,
      `CREATE OPERATOR CLASS by_text FOR TYPE color USING hash AS FUNCTION 2 by_text(color, bigint)`,
    ];
    const found = async (...statements: string[]) =>
      of(
        await runValidation(await databases.scenario(major, 18, ...types, ...statements)),
        'hash-partitions',
      );
    expect(
      await found(
        ...partitioned('list', 'color', 'LIST (v)'),
        ...partitioned('range', 'color', 'RANGE (v)'),
        ...partitioned('own class', 'color', 'HASH (v by_text)'),
        ...partitioned('beside', 'color', 'HASH (n)'),
        'CREATE TABLE "no rows" (v color) PARTITION BY HASH (v)',
      ),
    ).toMatchObject([{ state: 'Succeeded' }]);
    expect(
      await found(
        ...partitioned('a "direct"', 'color', 'HASH (n, v)').map((each) =>
          each.replaceAll('"direct"', '""direct""'),
        ),
        ...partitioned('b array', 'shade[]', 'HASH (v)'),
        ...partitioned('c range', 'colors', 'HASH (v)'),
        ...partitioned('d expression', 'color', 'HASH (enum_larger(v, v))'),
        ...partitioned('e regclass', 'regclass', 'HASH (v)'),
      ),
    ).toMatchObject([
      {
        state: 'Failed',
        message: expect.stringMatching(
          /: "public"\."a ""direct""", "public"\."b array", "public"\."c range", "public"\."d expression", "public"\."e regclass"\.$/,
        ) as string,
      },
    ]);
    if (major < 14) return;
    expect(
      await found(
        ...partitioned('composite', 'priced', 'HASH (v)'),
        ...partitioned('multirange', 'colors_multirange', 'HASH (v)'),
      ),
    ).toMatchObject([
      {
        state: 'Failed',
        message: expect.stringMatching(/: "public"\."composite", "public"\."multirange"\.$/) as string,
      },
    ]);
  },
);

it('names what the newer version has not any more', async () => {
  const scenario = await databases.scenario(
    11,
    15,
    'CREATE TABLE "With Oids" (a int) WITH OIDS',
    'CREATE TABLE timed (at abstime, ats reltime[])',
    'CREATE OPERATOR !! (LEFTARG = int, PROCEDURE = int4um)',
  );
  expect(of(await runValidation(scenario), 'removed-features')).toMatchObject([
    { state: 'Warning', message: expect.stringContaining('"public"."With Oids"') as string },
    { state: 'Failed', message: expect.stringContaining('"public"."timed"') as string },
    { state: 'Failed', message: expect.stringContaining('!!') as string },
  ]);
});

it('tells a person what becomes of special objects', async () => {
  const scenario = await databases.scenario(
    14,
    17,
    'CREATE UNLOGGED TABLE u ()',
    'CREATE TABLE t (v int); CREATE INDEX by_v ON t (v); CREATE INDEX "Half made" ON t (v)',
    `UPDATE pg_index SET indisvalid = false WHERE indexrelid = '"Half made"'::regclass`,
    'CREATE EXTENSION postgres_fdw',
    'CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw',
    'CREATE FOREIGN TABLE f () SERVER s',
    `CREATE SUBSCRIPTION "sub ${suffix}" CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE)`,
    'SELECT lo_create(0)',
    'SELECT lo_create(0)',
    'GRANT EXECUTE ON FUNCTION pg_read_file(text) TO pg_monitor',
    'CREATE EXTENSION hstore',
    `UPDATE pg_extension SET extname = 'pg_cron' WHERE extname = 'hstore'`,
  );
  const validation = await runValidation(scenario);
  await run(14, scenario.database, `DROP SUBSCRIPTION "sub ${suffix}"`);
  const messages = of(validation, 'special-objects').map(({ state, message }) => `${state}: ${message}`);
  expect(messages).toEqual([
    expect.stringMatching(/^Warning: Foreign tables .*public\.f/) as string,
    expect.stringMatching(/^Warning: Unlogged tables .*public\.u/) as string,
    expect.stringMatching(/^Warning: Subscriptions .*sub/) as string,
    expect.stringMatching(/^Warning: Invalid indexes, .* not migrated: public\."Half made"\.$/) as string,
    expect.stringMatching(/^Warning: Jobs of pg_cron are not migrated/) as string,
    expect.stringMatching(/^Warning: Rights on the server's own objects .*pg_read_file/) as string,
  ]);
  expect(of(validation, 'large-objects')).toMatchObject([{ message: 'Large objects to migrate: 2.' }]);
  expect(of(validation, 'room-for-locks')).toMatchObject([{ state: 'Succeeded' }]);
});

it('names prepared transactions', async () => {
  const scenario = await databases.scenario(14, 17);
  const gid = `it's "${suffix}"`.replaceAll("'", "''");
  await run(14, scenario.database, 'BEGIN', 'CREATE TABLE t ()', `PREPARE TRANSACTION '${gid}'`);
  const validation = await runValidation(scenario).finally(() =>
    run(14, scenario.database, `ROLLBACK PREPARED '${gid}'`),
  );
  expect(of(validation, 'prepared-transactions')).toMatchObject([
    { state: 'Warning', message: expect.stringContaining(suffix) as string },
  ]);
});

it('counts the sessions of others', async () => {
  const scenario = await databases.scenario(14, 17);
  await withSession(14, scenario.database, async (client) => {
    await client.query(`SET application_name = 'web shop'`);
    expect(of(await runValidation(scenario), 'active-writers')).toMatchObject([
      { state: 'Warning', message: expect.stringContaining('1, of postgres (web shop)') as string },
    ]);
  });
});

it('changes nothing, for its sessions cannot write', async () => {
  const scenario = await databases.scenario(14, 17);
  const validation = await runValidation({
    ...scenario,
    findPgDump: () => Promise.resolve({}),
  });
  expect(complaints(validation)).toEqual([]);
  await expect(run(17, scenario.database, 'SELECT 1')).rejects.toThrow(/does not exist/);
});
