import { cpus } from 'node:os';
import { createServer, type AddressInfo, type Server } from 'node:net';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  FlexliftError,
  type MigrationMode,
  type MigrationRequest,
} from '../../../contract';
import { closedDatabases } from '../../../postgres/catalog';
import { quoteIdentifier } from '../../../postgres/connect';
import type { ServerContext } from '../../../postgres/validate/rule';
import { databasesExist } from '../../../postgres/validate/rules/databases-exist';
import { createTestDatabase, dropTestDatabase, run, withSession, type Major } from '../../support/servers';
import { eventually } from '../../support/eventually';
import { dropRoles, newMigrationId } from '../database/support';
import { complaints, Databases, of, runValidation, type Scenario } from './support';

const suffix = newMigrationId();
const limited = `limited_${suffix}`;

let database: string;

beforeAll(async () => {
  database = await createTestDatabase(14, 'validate "Ü" 🐘');
  await run(14, 'postgres', `CREATE ROLE ${limited} LOGIN SUPERUSER`);
  await run(17, 'postgres', `CREATE ROLE ${limited} LOGIN CREATEDB CONNECTION LIMIT 4`);
});

afterAll(async () => {
  await dropTestDatabase(14, database);
  await dropTestDatabase(17, database);
  await dropRoles(14, limited);
  await dropRoles(17, limited);
});

it('finds nothing to complain of between two ordinary servers', async () => {
  const validation = await runValidation({ source: 14, target: 17, databases: [database] });
  expect(complaints(validation)).toEqual([]);
  expect(validation).toMatchObject({ databases: [database], sourceMajor: 14, targetMajor: 17 });
  expect(new Set(validation.findings.map((finding) => finding.rule)).size).toBeGreaterThan(20);
});

describe('every supported version', () => {
  const databases = new Databases();
  afterAll(() => databases.drop());

  it.each([
    [11, 14],
    [14, 15],
    [15, 17],
    [17, 18],
    [11, 18],
  ] as [Major, Major][])('%d to %d', async (source, target) => {
    const scenario = await databases.scenario(
      source,
      target,
      'CREATE TABLE t (id int PRIMARY KEY, a text COLLATE "C")',
      'CREATE EXTENSION hstore',
      'ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC',
      'SELECT lo_create(0)',
    );
    expect(complaints(await runValidation(scenario))).toEqual([]);
  });
});

it('takes all user databases where none is chosen', async () => {
  // another test's database may go while it is looked at, which is an error that passes by itself
  const validation = await eventually('a validation of the whole server', () =>
    runValidation({ source: 14, target: 17 }).catch(() => undefined),
  );
  expect(validation.databases).toContain(database);
});

describe('servers that cannot be reached', () => {
  it('names the refused connection within the time allowed', async () => {
    const started = Date.now();
    const validation = await runValidation({
      source: 14,
      target: 17,
      databases: [database],
      sourceAddress: { port: 1 },
    });
    expect(Date.now() - started).toBeLessThan(2_500);
    expect(of(validation, 'source-reachable')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('127.0.0.1:1') as string },
    ]);
    expect(of(validation, 'target-reachable')).toMatchObject([{ state: 'Succeeded' }]);
    expect(validation.findings).toHaveLength(2);
  });

  it('gives up on a host that takes the connection and says nothing', async () => {
    const silent: Server = createServer(() => undefined).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const started = Date.now();
    const { port } = silent.address() as AddressInfo;
    const validation = await runValidation({ source: 14, target: 17, targetAddress: { port } });
    expect(Date.now() - started).toBeLessThan(2_500);
    expect(of(validation, 'target-reachable')).toMatchObject([{ state: 'Failed' }]);
    silent.close();
  });

  it('does not wait for what no time mends', async () => {
    const started = Date.now();
    const validation = await runValidation({
      source: 14,
      target: 17,
      sourceUser: 'nobody_of_that_name',
      targetAddress: { maintenanceDatabase: 'no such database' },
      change: { timeouts: { ...DEFAULT_TIMEOUTS, validation: 20_000 } },
    });
    expect(Date.now() - started).toBeLessThan(1_000);
    expect(validation.findings.map(({ state, message }) => `${state}: ${message}`)).toEqual([
      expect.stringMatching(/^Failed: .*nobody_of_that_name/) as string,
      expect.stringMatching(/^Failed: .*no such database/) as string,
    ]);
  });
});

describe('the pair of servers', () => {
  it('refuses an older target', async () => {
    const validation = await runValidation({ source: 15, target: 14, databases: ['postgres'] });
    expect(of(validation, 'target-version')).toMatchObject([{ state: 'Failed' }]);
  });

  it('refuses one and the same server, by whatever name', async () => {
    const validation = await runValidation({
      source: 14,
      target: 14,
      databases: [database],
      targetAddress: { host: 'localhost' },
    });
    expect(of(validation, 'same-server')).toMatchObject([{ state: 'Failed' }]);
  });

  it('names databases that the source has not', async () => {
    const validation = await runValidation({ source: 14, target: 17, databases: [database, 'NoSuch'] });
    expect(of(validation, 'databases-exist')).toMatchObject([
      { state: 'Failed', message: expect.stringContaining('"NoSuch"') as string },
    ]);
    expect(validation.databases).toEqual([database]);
  });

  it('names what nobody chose, for it is closed, and refuses to migrate nothing', async () => {
    const allow = (allowed: boolean) =>
      run(14, 'postgres', `ALTER DATABASE ${quoteIdentifier(database)} ALLOW_CONNECTIONS ${allowed}`);
    await allow(false);
    try {
      const closed = await withSession(14, 'postgres', closedDatabases);
      expect(closed).toContain(database);
      expect(closed).not.toContain('template0');
      const context = {
        request: { mode: 'Offline' },
        ...{ databases: ['shop'], missing: [], released: [], closed: [database] },
      };
      expect(await databasesExist.check(context as unknown as ServerContext)).toMatchObject([
        { state: 'Succeeded' },
        { state: 'Warning', message: expect.stringContaining(JSON.stringify(database)) as string },
      ]);
    } finally {
      await allow(true);
    }
    const none = { source: 14, target: 17, databases: [] } as const;
    const nothing = { state: 'Warning', message: 'The source has no user databases.' };
    const found = async (change: Partial<MigrationRequest>) =>
      of(await runValidation({ ...none, databases: [], change }), 'databases-exist');
    expect(await found({})).toMatchObject([nothing]);
    expect(await found({ option: 'ValidateAndMigrate' })).toMatchObject([{ ...nothing, state: 'Failed' }]);
  });

  it('refuses more databases than one workflow has room for', async () => {
    const check = (mode: MigrationMode, count: number) => {
      const context = {
        request: { mode },
        databases: Array.from({ length: count }, (_, index) => `shop_${index}`),
        ...{ missing: [], released: [], closed: [] },
      };
      return databasesExist.check(context as unknown as ServerContext);
    };
    expect(await check('Offline', 500)).toMatchObject([{ state: 'Succeeded' }]);
    expect(await check('Offline', 501)).toMatchObject([{ state: 'Failed' }]);
    expect(await check('Online', 101)).toMatchObject([
      {
        state: 'Failed',
        message: 'One online migration takes 100 databases at most, and this one would have 101.',
      },
    ]);
  });

  it('says what is wrong with the client tools', async () => {
    const validation = await runValidation({
      source: 14,
      target: 17,
      databases: [database],
      findPgDump: ({ sourceMajor }) =>
        Promise.reject(
          new FlexliftError({
            code: 'ClientToolFailed',
            sentence: `There is no pg_dump for ${sourceMajor}.`,
            remedy: 'Install it.',
          }),
        ),
    });
    expect(of(validation, 'client-tools')).toMatchObject([
      {
        state: 'Failed',
        message: expect.stringContaining('no pg_dump for 14') as string,
        remedy: 'Install it.',
      },
    ]);
  });

  it.each([11, 17] as const)('chooses how much goes on at a time by the CPUs of %i', async (source) => {
    const scenario: Scenario = { source, target: 18, databases: [database] };
    const change = { openLimits: ['copiesAtOnce' as const], limits: DEFAULT_LIMITS };
    const { concurrency } = await runValidation({ ...scenario, change });
    const copiesAtOnce = Math.min(8, 2 * cpus().length);
    expect(concurrency).toEqual({ databasesAtOnce: 2, copiesAtOnce, indexesAtOnce: 2 });
  });

  it('counts the connections that a role may have', async () => {
    const limits = { ...DEFAULT_LIMITS, databasesAtOnce: 1, copiesAtOnce: 4, indexesAtOnce: 2 };
    const scenario: Scenario = { source: 14, target: 17, databases: [database], targetUser: limited };
    const few = await runValidation({ ...scenario, change: { limits, noOwner: true } });
    expect(of(few, 'connections')).toMatchObject([{ state: 'Warning' }]);
    await run(17, 'postgres', `ALTER ROLE ${limited} CONNECTION LIMIT 3`);
    const none = await runValidation({ ...scenario, change: { limits, noOwner: true } });
    expect(of(none, 'connections')).toMatchObject([{ state: 'Failed' }]);
  });
});
