import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { MigrationRequest } from '../../../contract';
import type { PostgresServer } from '../../../embedded';
import { quoteIdentifier } from '../../../postgres/connect';
import { createLedger } from '../../../postgres/ledger';
import { prepareSource, takeAwaySourceObjects } from '../../../postgres/replicate/source';
import type { Validation } from '../../../postgres/validate';
import { eventually } from '../../support/eventually';
import { run, testEndpoint, withSession, type Major } from '../../support/servers';
import { createNamed, dropRoles, newMigrationId } from '../database/support';
import { complaints, Databases, of, runValidation, type Scenario } from './support';
import { createOwnServer } from '../../support/own-server';

const suffix = newMigrationId();
const owner = `own er_${suffix}`;
const plain = `plain_${suffix}`;
const databases = new Databases();

beforeAll(async () => {
  for (const major of [14, 17] as const) {
    await run(
      major,
      'postgres',
      `CREATE ROLE ${quoteIdentifier(owner)}`,
      `CREATE ROLE ${plain} LOGIN CREATEDB`,
    );
  }
});
afterAll(async () => {
  await databases.drop();
  for (const major of [14, 17] as const) await dropRoles(major, owner, plain);
});

const online = (scenario: Scenario, change: Partial<MigrationRequest> = {}) =>
  runValidation({ ...scenario, change: { mode: 'Online', ...scenario.change, ...change } });

/** The tests of other files have transactions open on the same server. */
function ownComplaints({ findings, ...rest }: Validation): string[] {
  return complaints({ ...rest, findings: findings.filter(({ rule }) => rule !== 'writing-transactions') });
}

describe('between two ordinary servers', () => {
  it.each([
    [11, 14],
    [14, 17],
    [17, 18],
  ] as [Major, Major][])('of %d and %d there is nothing to complain of', async (source, target) => {
    const scenario = await databases.scenario(source, target, 'CREATE TABLE t (id int PRIMARY KEY, a text)');
    const validation = await online(scenario);
    expect(ownComplaints(validation)).toEqual([]);
    const rules = validation.findings.map((finding) => finding.rule);
    expect(rules).toEqual(expect.arrayContaining(['wal-level', 'replica-identities', 'source-primary']));
    expect(rules).not.toContain('active-writers');
    const offline = (await runValidation(scenario)).findings.map((finding) => finding.rule);
    expect(offline).toContain('active-writers');
    expect(offline).not.toContain('wal-level');
  });

  it('what this migration has made itself is not complained of', async () => {
    const scenario = await databases.scenario(11, 17, 'CREATE TABLE t (id int PRIMARY KEY, a text)');
    const migrationId = newMigrationId();
    const identity = { migrationId, generation: 1 };
    const signal = new AbortController().signal;
    const { database } = scenario;
    await createNamed(17, database);
    await withSession(17, database, (client) => createLedger(client, identity, { databaseCreated: true }));
    const source = testEndpoint(11, 'source', `flexlift:${migrationId}:prepareSource:test:1`);
    const before = ownComplaints(await online(scenario, { migrationId }));
    await prepareSource({
      ...{ source, target: testEndpoint(17, 'target'), database, identity, migrationId, signal },
      keylessTables: 'append',
      lockTimeout: 1_000,
      onProgress: () => undefined,
    });
    try {
      expect(ownComplaints(await online(scenario, { migrationId }))).toEqual(before);
    } finally {
      const liftFence = () => Promise.resolve();
      await takeAwaySourceObjects({ source, database, migrationId, signal, liftFence });
    }
  });
});

describe('what is in the database', () => {
  it('names the tables whose changes do not all come, and what becomes of them', async () => {
    const scenario = await databases.scenario(
      14,
      17,
      'CREATE TABLE "Key""less" (a int)',
      'CREATE TABLE by_unique (a int NOT NULL UNIQUE)',
      'CREATE TABLE keyed (a int PRIMARY KEY)',
      'CREATE UNLOGGED TABLE "Un logged" AS SELECT generate_series(1, 1000) AS a',
      'SELECT lo_create(0)',
    );
    const append = await online(scenario);
    const identities = of(append, 'replica-identities');
    expect(identities).toMatchObject([
      { state: 'Warning', remedy: expect.stringContaining('--keyless-tables full') as string },
    ]);
    expect(identities[0]?.message).toContain('"public"."Key""less", "public"."by_unique"');
    expect(identities[0]?.message).not.toContain('keyed');
    expect(of(append, 'unlogged-tables')[0]?.message).toMatch(/"public"\."Un logged", \d+ kB, are copied/);
    expect(of(append, 'large-objects')).toMatchObject([{ state: 'Warning' }]);
    expect(of(append, 'special-objects')).toMatchObject([{ state: 'Succeeded' }]);
    const full = of(await online(scenario, { keylessTables: 'full' }), 'replica-identities');
    expect(full.map(({ state, message }) => `${state} ${message}`)).toEqual([
      expect.stringMatching(/^Warning Tables that get another REPLICA IDENTITY .*"Key""less"/) as string,
    ]);
  });

  it('names what the slot has to wait for, and what publishes the marker', async () => {
    const scenario = await databases.scenario(
      11,
      17,
      'CREATE TABLE t (a int PRIMARY KEY)',
      'CREATE PUBLICATION "Every""thing" FOR ALL TABLES',
    );
    const other = await databases.create(11);
    const [mine, theirs] = [`p4 mine ${suffix}`, `p4 theirs ${suffix}`];
    await run(11, scenario.database, 'BEGIN; INSERT INTO t VALUES (1)', `PREPARE TRANSACTION '${mine}'`);
    await run(11, other, 'CREATE TABLE t ()', 'BEGIN; DROP TABLE t', `PREPARE TRANSACTION '${theirs}'`);
    try {
      const validation = await online(scenario);
      expect(of(validation, 'prepared-transactions')[0]?.message).toMatch(/slot waits .*"p4 mine/);
      const [waiting] = of(validation, 'writing-transactions');
      expect(waiting?.message).toMatch(new RegExp(`prepared '${theirs}' in database ${other}, \\d+ s`));
      expect(waiting?.message).not.toContain(mine);
      expect(of(validation, 'publications-of-all-tables')).toMatchObject([
        { state: 'Warning', message: expect.stringContaining('"Every""thing"') as string },
      ]);
    } finally {
      await run(11, scenario.database, `ROLLBACK PREPARED '${mine}'`);
      await run(11, other, `ROLLBACK PREPARED '${theirs}'`);
    }
  });
});

it('names each right that the users lack, with the statement that gives it', async () => {
  const scenario = await databases.scenario(
    14,
    17,
    'CREATE TABLE "Or ders" (id int PRIMARY KEY)',
    `ALTER TABLE "Or ders" OWNER TO ${quoteIdentifier(owner)}`,
    `GRANT SELECT ON "Or ders" TO ${plain}`,
  );
  const asPlain = { ...scenario, sourceUser: plain, targetUser: plain, change: { noOwner: true } };
  const findings = await online(asPlain);
  expect(of(findings, 'replication-right')).toMatchObject([
    { state: 'Failed', remedy: `Run on the source: ALTER ROLE "${plain}" REPLICATION.` },
  ]);
  const database = quoteIdentifier(scenario.database);
  expect(of(findings, 'publication-rights')).toMatchObject([
    { state: 'Failed', remedy: `Run on the source: GRANT CREATE ON DATABASE ${database} TO "${plain}".` },
    { state: 'Warning', message: expect.stringContaining('Only its owner, "postgres", may fence') as string },
    { state: 'Failed', remedy: `Run on the source: GRANT "${owner}" TO "${plain}".` },
  ]);
  expect(of(findings, 'replica-role')).toMatchObject([
    { state: 'Warning', remedy: expect.stringContaining('GRANT SET ON PARAMETER') as string },
  ]);
  await run(
    14,
    'postgres',
    `ALTER ROLE ${plain} REPLICATION`,
    `GRANT CREATE ON DATABASE ${database} TO ${plain}`,
    `GRANT ${quoteIdentifier(owner)} TO ${plain}`,
  );
  await run(17, 'postgres', `GRANT SET ON PARAMETER session_replication_role TO ${plain}`);
  const granted = await online(asPlain);
  await run(14, 'postgres', `REVOKE ALL ON DATABASE ${database} FROM ${plain}`);
  await run(14, scenario.database, `DROP OWNED BY ${quoteIdentifier(owner)}, ${plain}`);
  await run(17, 'postgres', `REVOKE SET ON PARAMETER session_replication_role FROM ${plain}`);
  for (const rule of ['replication-right', 'replica-role']) {
    expect(of(granted, rule)).toMatchObject([{ state: 'Succeeded' }]);
  }
  // the database is still another's
  expect(of(granted, 'publication-rights')).toMatchObject([{ state: 'Warning' }]);
});

describe("a server's settings", () => {
  let directory: string;
  let server: PostgresServer;

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'flexlift-p4-online-'));
    chmodSync(directory, 0o711);
    server = await createOwnServer({
      major: 18,
      directory: join(directory, 'server'),
      settings: {
        fsync: false,
        wal_level: 'replica',
        max_replication_slots: 1,
        max_wal_senders: 1,
        max_slot_wal_keep_size: '64MB',
        idle_replication_slot_timeout: '1h',
      },
    });
    await server.start();
  });
  afterAll(async () => {
    await server.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  const check = () =>
    online({
      ...{ source: 18, target: 18, databases: ['postgres'] },
      sourceAddress: { port: server.port },
    });

  it('lack what replication takes, each with its remedy', async () => {
    const findings = await check();
    expect(of(findings, 'wal-level')).toMatchObject([
      { state: 'Failed', remedy: expect.stringContaining('ALTER SYSTEM SET wal_level') as string },
    ]);
    expect(of(findings, 'replication-capacity').map(({ state, message }) => `${state}: ${message}`)).toEqual([
      'Failed: The source has 1 free replication slots; this migration takes 2.',
      'Failed: The source has 1 free WAL senders; this migration takes 2.',
    ]);
    expect(of(findings, 'wal-retention').map(({ state, remedy }) => `${state}: ${remedy}`)).toEqual([
      expect.stringMatching(/^Warning: Raise max_slot_wal_keep_size/) as string,
      expect.stringMatching(/^Warning: Set idle_replication_slot_timeout/) as string,
    ]);
    expect(of(findings, 'source-primary')).toMatchObject([{ state: 'Succeeded' }]);
  });

  const connected = async (replication: string) => {
    const { host, port } = server;
    const client = new Client({
      ...{ host, port, user: 'postgres', database: 'postgres' },
      ...{ replication },
    });
    await client.connect();
    return client;
  };

  it('of a target: who receives its WAL is counted, and nobody who replicates logically', async () => {
    const foundWith = async (replication: string) => {
      const receiver = await eventually('the only WAL sender is free', () =>
        connected(replication).catch(() => undefined),
      );
      try {
        const scenario = { source: 18, target: 18, databases: ['postgres'] } as const;
        const targetAddress = { port: server.port };
        return of(
          await runValidation({ ...scenario, databases: ['postgres'], targetAddress }),
          'target-standbys',
        );
      } finally {
        await receiver.end();
      }
    };
    expect(await foundWith('database')).toMatchObject([{ state: 'Succeeded' }]);
    expect(await foundWith('true')).toMatchObject([
      { state: 'Warning', message: expect.stringContaining('goes to another server') as string },
    ]);
  });

  // the later ones are looked for before the earlier, which stay set
  it.each([
    ['azure.extensions', 'server parameter wal_level'],
    ['cloudsql.logical_decoding', 'flag cloudsql.logical_decoding'],
    ['rds.logical_replication', 'parameter group'],
  ])('are changed in their own way where there is %s; a standby is refused', async (setting, remedy) => {
    server.configure({ [setting]: 'off' });
    writeFileSync(join(server.directory, 'data', 'standby.signal'), '');
    await server.restart();
    const findings = await check();
    expect(of(findings, 'wal-level')).toMatchObject([
      { state: 'Failed', remedy: expect.stringContaining(remedy) as string },
    ]);
    expect(of(findings, 'source-primary')).toMatchObject([{ state: 'Failed' }]);
  });
});
