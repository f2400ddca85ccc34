import { quoteIdentifier } from '../../../postgres/connect';
import { createTargetDatabase } from '../../../postgres/database';
import { createLedger, releaseLedger } from '../../../postgres/ledger';
import { run, withSession, type Major } from '../../support/servers';
import { createArguments, createNamed, dropRoles, leaveInvalid, newMigrationId } from '../database/support';
import { hasLibcLocale } from '../../../postgres/validate/probe-locale';
import { complaints, Databases, of, runValidation, type Scenario } from './support';

const plain = `plain_${newMigrationId()}`;
const databases = new Databases();

beforeAll(() => run(17, 'postgres', `CREATE ROLE ${plain} LOGIN CREATEDB CREATEROLE`));

afterAll(async () => {
  await databases.drop();
  await dropRoles(17, plain);
});

describe('target-empty', () => {
  it('says what is in it, and what --overwrite means', async () => {
    const scenario = await databases.scenario(14, 17);
    await createNamed(17, scenario.database);
    expect(complaints(await runValidation(scenario))).toEqual([]);
    await run(17, scenario.database, 'CREATE TABLE "In the way" ()');
    expect(of(await runValidation(scenario), 'target-empty')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('In the way') as string },
    ]);
    const overwrite = await runValidation({ ...scenario, change: { overwrite: true } });
    expect(of(overwrite, 'target-empty')).toMatchObject([{ state: 'Warning' }]);
    const maintenance = await runValidation({
      ...scenario,
      targetAddress: { maintenanceDatabase: scenario.database },
      change: { overwrite: true },
    });
    expect(of(maintenance, 'target-empty')).toMatchObject([{ state: 'Failed' }]);
  });

  it('takes what an interrupted DROP left for unusable', async () => {
    const scenario = await databases.scenario(14, 17);
    await createNamed(17, scenario.database);
    await leaveInvalid(17, scenario.database);
    expect(complaints(await runValidation(scenario))).toEqual([
      expect.stringMatching(/^Failed target-empty: .*interrupted DROP/),
    ]);
    const overwrite = await runValidation({ ...scenario, change: { overwrite: true } });
    expect(complaints(overwrite)).toEqual([expect.stringMatching(/^Warning target-empty: /)]);
  });

  it('tells our own ledger from that of others', async () => {
    const scenario = await databases.scenario(14, 17);
    const args = createArguments(14, 17, scenario.database);
    await createTargetDatabase(args);
    const { migrationId } = args.identity;
    const own = (generation: number) =>
      runValidation({ ...scenario, change: { migrationId, generation, overwrite: true } });
    expect(of(await own(2), 'target-empty')).toMatchObject([{ state: 'Succeeded' }]);
    expect(of(await own(0), 'target-empty')).toMatchObject([{ state: 'Failed' }]);
    expect(of(await runValidation(scenario), 'target-empty')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining(migrationId) as string },
    ]);
    await withSession(17, scenario.database, async (client) => {
      await client.query(`SET application_name = 'flexlift:${migrationId}:copyPart:0:1'`);
      const running = await runValidation({ ...scenario, change: { overwrite: true } });
      expect(of(running, 'target-empty')).toMatchObject([{ state: 'Failed' }]);
      await client.query(`SET application_name = ''`);
      await releaseLedger(client, args.identity, {});
    });
    expect(of(await own(2), 'target-empty')).toMatchObject([{ state: 'Failed' }]);
    expect(of(await runValidation(scenario), 'target-empty')).toMatchObject([{ state: 'Succeeded' }]);
  });

  it('leaves alone what an earlier run has released, where others are left', async () => {
    const { database } = await databases.scenario(14, 17);
    const other = await databases.create(14);
    const args = createArguments(14, 17, database);
    await createTargetDatabase(args);
    await withSession(17, database, (client) => releaseLedger(client, args.identity, {}));
    const { migrationId } = args.identity;
    const change = { migrationId, generation: 2, overwrite: true };
    const next = await runValidation({ source: 14, target: 17, databases: [database, other], change });
    expect(next.databases).toEqual([other]);
    expect(complaints(next)).toEqual([]);
    expect(of(next, 'target-empty')).toContainEqual(
      expect.objectContaining({
        database,
        state: 'Succeeded',
        message: expect.stringMatching(/left alone/) as string,
      }),
    );
  });

  it('refuses a filled database that another migration released', async () => {
    const scenario = await databases.scenario(14, 17);
    await createNamed(17, scenario.database);
    await run(17, scenario.database, 'CREATE TABLE live ()');
    await withSession(17, scenario.database, async (client) => {
      const identity = { migrationId: newMigrationId(), generation: 1 };
      await createLedger(client, identity, { databaseCreated: true });
      await releaseLedger(client, identity, {});
    });
    expect(of(await runValidation(scenario), 'target-empty')).toMatchObject([{ state: 'Failed' }]);
  });
});

describe('encoding and locale', () => {
  it.each([
    [`ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C'`, true, 'Failed', 'Warning'],
    [`ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C'`, false, 'Warning', 'Warning'],
    [`ENCODING 'LATIN2' LC_COLLATE 'C' LC_CTYPE 'C'`, false, 'Failed', 'Succeeded'],
  ])(
    'looks at a target that stands there: %s, compare %s',
    async (options, compare, encodingState, localeState) => {
      const database = await databases.create(14, `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
      databases.adopt(17, database);
      const scenario: Scenario = { source: 14, target: 17, databases: [database], change: { compare } };
      expect(complaints(await runValidation(scenario))).toEqual([]);
      await createNamed(17, database, options);
      const validation = await runValidation(scenario);
      expect(of(validation, 'encoding')).toMatchObject([{ state: encodingState }]);
      expect(of(validation, 'locale')).toMatchObject([{ state: localeState }]);
    },
  );

  it('asks the target for the locale of a collation', async () => {
    const scenario = await databases.scenario(
      14,
      17,
      `CREATE COLLATION gone (LOCALE = 'C')`,
      `CREATE COLLATION "by icu" (PROVIDER = icu, LOCALE = 'de')`,
      'CREATE TABLE t (a text COLLATE gone, b text COLLATE "by icu", c text COLLATE "de-x-icu")',
    );
    expect(complaints(await runValidation(scenario))).toEqual([]);
    // this machine has no locale that only one server knows: the source's catalog is made to name one
    await run(14, scenario.database, `UPDATE pg_collation SET collcollate = 'xx_XX' WHERE collname = 'gone'`);
    expect(of(await runValidation(scenario), 'collations')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('"public"."gone"') as string },
    ]);
  });

  it('asks the target for the locale of the database', async () => {
    const database = await databases.create(17);
    await withSession(17, database, async (client) => {
      expect(await hasLibcLocale(client, 'C.UTF-8')).toBe(true);
      expect(await hasLibcLocale(client, 'xx_XX.UTF-8')).toBe(false);
      expect(await hasLibcLocale(client, 'English_United States.1252')).toBe(false);
    });
  });

  it('misses a system collation that the target was not built with', async () => {
    const names = (major: Major) =>
      withSession(major, 'postgres', async (client) => {
        const { rows } = await client.query<{ collname: string }>(
          `SELECT collname FROM pg_collation WHERE collprovider = 'i' ORDER BY collname`,
        );
        return rows.map((row) => row.collname);
      });
    const onTarget = new Set(await names(17));
    const missing = (await names(15)).find((name) => !onTarget.has(name));
    // servers of one and the same ICU have nothing to miss
    if (missing === undefined) return;
    const scenario = await databases.scenario(
      15,
      17,
      `CREATE VIEW v AS SELECT 'a' COLLATE ${quoteIdentifier(missing)} AS a`,
    );
    expect(of(await runValidation(scenario), 'collations')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining(missing) as string },
    ]);
  });
});

describe('extensions', () => {
  it('are looked for on the target', async () => {
    const scenario = await databases.scenario(
      15,
      17,
      'CREATE EXTENSION old_snapshot',
      'CREATE EXTENSION hstore',
    );
    expect(of(await runValidation(scenario), 'extensions')).toMatchObject([
      { state: 'Failed', message: 'The target has no extension old_snapshot.' },
    ]);
  });

  it('may need a superuser or to be loaded at the start', async () => {
    const scenario = await databases.scenario(
      14,
      17,
      'CREATE EXTENSION hstore',
      'CREATE EXTENSION pageinspect',
      'CREATE EXTENSION pg_stat_statements',
    );
    const asSuperuser = of(await runValidation(scenario), 'extensions');
    expect(asSuperuser).toMatchObject([
      { state: 'Warning', remedy: expect.stringContaining('shared_preload_libraries') as string },
    ]);
    const validation = await runValidation({ ...scenario, targetUser: plain, change: { noOwner: true } });
    expect(of(validation, 'extensions').map((finding) => finding.message)).toEqual([
      'Only a superuser of the target may create extension pageinspect.',
      'Only a superuser of the target may create extension pg_stat_statements.',
    ]);
  });

  it('must be allowed where the target has an allow-list', async () => {
    const scenario = await databases.scenario(14, 17, 'CREATE EXTENSION hstore', 'CREATE EXTENSION citext');
    await createNamed(17, scenario.database);
    // a custom setting of the database stands in for Azure's server parameter of that name
    const name = quoteIdentifier(scenario.database);
    await run(17, scenario.database, `ALTER DATABASE ${name} SET azure.extensions = 'CITEXT,ltree'`);
    expect(of(await runValidation(scenario), 'extensions')).toMatchObject([
      { state: 'Failed', remedy: expect.stringContaining('azure.extensions') as string },
    ]);
  });

  it('are older on the target', async () => {
    const scenario = await databases.scenario(14, 17, 'CREATE EXTENSION hstore');
    await run(14, scenario.database, `UPDATE pg_extension SET extversion = '9.10' WHERE extname = 'hstore'`);
    expect(of(await runValidation(scenario), 'extensions')).toMatchObject([
      { state: 'Warning', message: expect.stringContaining('9.10') as string },
    ]);
  });
});
