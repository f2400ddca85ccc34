import { stagingDatabase } from '../../../postgres/catalog';
import { quoteIdentifier, withConnection } from '../../../postgres/connect';
import { createTargetDatabase } from '../../../postgres/database';
import { createLedger, releaseLedger } from '../../../postgres/ledger';
import { createTestDatabase, dropTestDatabase, run, testEndpoint, withSession } from '../../support/servers';
import {
  createArguments,
  createNamed,
  leaveInvalid,
  ledgerOf,
  newMigrationId,
  stagingExists,
} from './support';

const SOURCE = 14;
const TARGET = 17;

let database: string;

beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'create "Ü.🐘');
});

afterEach(async () => {
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});

describe('a target without the database', () => {
  it('gets it, with the ledger, and a repetition finds it', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: true });
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: true });
    expect(await ledgerOf(TARGET, database)).toMatchObject({
      migration_id: args.identity.migrationId,
      state: 'open',
      database_created: true,
    });
    expect(await stagingExists(TARGET, args)).toBe(false);
  });

  it('is made once by attempts that run at the same time', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    const results = await Promise.all([1, 2, 3].map(() => createTargetDatabase(args)));
    expect(results).toEqual([{ created: true }, { created: true }, { created: true }]);
  });

  it('is taken over by a later run, which locks out the run before', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase(args);
    const later = { ...args, identity: { ...args.identity, generation: 2 } };
    await createTargetDatabase(later);
    await expect(createTargetDatabase(args)).rejects.toMatchObject({ code: 'LedgerForeign' });
  });

  it('is taken over though a worker that stands still holds the ledger', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase(args);
    const later = { ...args, identity: { ...args.identity, generation: 2 } };
    const application = `flexlift:${args.identity.migrationId}:copyPart:0123456789:1`;
    const endpoint = testEndpoint(TARGET, 'target', application);
    await expect(
      withConnection(endpoint, database, AbortSignal.timeout(20_000), async (frozen) => {
        await frozen.query('BEGIN; SELECT FROM flexlift.migration FOR SHARE');
        expect(await createTargetDatabase(later)).toEqual({ created: true });
        await frozen.query('COMMIT');
      }),
    ).rejects.toMatchObject({ code: 'ServerRestarting' });
    expect(await ledgerOf(TARGET, database)).toMatchObject({ generation: 2 });
  });

  it('begins anew where a staging database without a ledger is left', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    const staging = stagingDatabase(args.identity.migrationId, database);
    await createNamed(TARGET, staging);
    await run(TARGET, staging, 'CREATE TABLE left_by_a_dead_attempt ()');
    await createTargetDatabase(args);
    await expect(run(TARGET, database, 'TABLE left_by_a_dead_attempt')).rejects.toThrow(/does not exist/);
  });
});

describe('a target with an empty database', () => {
  it('uses it as it is', async () => {
    await createNamed(TARGET, database);
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: false });
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: false });
    expect(await ledgerOf(TARGET, database)).toMatchObject({ database_created: false });
  });

  it('refuses one whose encoding cannot hold what the source holds', async () => {
    await createNamed(TARGET, database, `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await expect(createTargetDatabase(createArguments(SOURCE, TARGET, database))).rejects.toMatchObject({
      code: 'TargetNotEmpty',
      fields: { sentence: expect.stringContaining('LATIN1') as string },
    });
  });

  it('refuses one of UTF8 for a source whose bytes are of no known encoding', async () => {
    await dropTestDatabase(SOURCE, database);
    await createNamed(SOURCE, database, `ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await createNamed(TARGET, database, `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await expect(createTargetDatabase(createArguments(SOURCE, TARGET, database))).rejects.toMatchObject({
      code: 'TargetNotEmpty',
      fields: { sentence: expect.stringMatching(/UTF8.*SQL_ASCII/) as string },
    });
    expect(await ledgerOf(TARGET, database)).toBeUndefined();
  });

  it('uses one of UTF8 for a source of another encoding only where rows are not compared', async () => {
    await dropTestDatabase(SOURCE, database);
    await createNamed(SOURCE, database, `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`);
    await createNamed(TARGET, database, `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`);
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).rejects.toMatchObject({
      code: 'TargetNotEmpty',
      fields: { sentence: expect.stringMatching(/UTF8.*LATIN1/) as string },
    });
    expect(await ledgerOf(TARGET, database)).toBeUndefined();
    await expect(createTargetDatabase({ ...args, compare: false })).resolves.toEqual({ created: false });
  });

  it('replaces what an interrupted DROP left only when told to', async () => {
    await createNamed(TARGET, database);
    await leaveInvalid(TARGET, database);
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    await expect(createTargetDatabase({ ...args, overwrite: true })).resolves.toEqual({ created: true });
  });

  it('refuses one in which another migration works', async () => {
    await createTargetDatabase(createArguments(SOURCE, TARGET, database));
    await expect(createTargetDatabase(createArguments(SOURCE, TARGET, database))).rejects.toMatchObject({
      code: 'LedgerForeign',
    });
    const overwriting = createArguments(SOURCE, TARGET, database, { overwrite: true });
    await expect(createTargetDatabase(overwriting)).resolves.toEqual({ created: true });
  });

  it('uses one in which another migration was released', async () => {
    await createNamed(TARGET, database);
    await leaveReleased(newMigrationId());
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: false });
    expect(await ledgerOf(TARGET, database)).toMatchObject({ migration_id: args.identity.migrationId });
  });
});

describe('a target with a database that is not empty', () => {
  it.each([
    'CREATE TABLE t ()',
    'CREATE VIEW v AS SELECT 1',
    `CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
    `CREATE TYPE e AS ENUM ('a')`,
    'CREATE SCHEMA s',
    'SELECT lo_create(0)',
    'CREATE SEQUENCE s',
  ])('keeps it without --overwrite: %s', async (statement) => {
    await createNamed(TARGET, database);
    await run(TARGET, database, statement);
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    expect(await ledgerOf(TARGET, database)).toBeUndefined();
  });

  it('is empty with nothing but extensions in it', async () => {
    await createNamed(TARGET, database);
    await run(TARGET, database, 'CREATE EXTENSION hstore', 'CREATE EXTENSION cube');
    const args = createArguments(SOURCE, TARGET, database);
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: false });
  });

  it('is replaced with --overwrite, with the sessions in it', async () => {
    await createNamed(TARGET, database);
    await run(TARGET, database, 'CREATE TABLE old ()');
    await leaveReleased(newMigrationId());
    await withSession(TARGET, database, async () => {
      const args = createArguments(SOURCE, TARGET, database, { overwrite: true });
      await expect(createTargetDatabase(args)).resolves.toEqual({ created: true });
    });
    await expect(run(TARGET, database, 'TABLE old')).rejects.toThrow(/does not exist/);
  });

  it('is never touched once this migration was released, even with --overwrite', async () => {
    const args = createArguments(SOURCE, TARGET, database, { overwrite: true });
    await createTargetDatabase(args);
    await run(TARGET, database, 'CREATE TABLE live ()');
    await withSession(TARGET, database, (client) => releaseLedger(client, args.identity, {}));
    await expect(createTargetDatabase(args)).rejects.toMatchObject({ code: 'LedgerReleased' });
    const later = { ...args, identity: { ...args.identity, generation: 7 } };
    await expect(createTargetDatabase(later)).rejects.toMatchObject({ code: 'LedgerReleased' });
    await run(TARGET, database, 'TABLE live');
  });

  it('cannot be replaced where it is the maintenance database', async () => {
    await createNamed(TARGET, database);
    const args = createArguments(SOURCE, TARGET, database, { overwrite: true });
    args.target.address.maintenanceDatabase = database;
    await run(TARGET, database, 'CREATE TABLE t ()');
    await expect(createTargetDatabase(args)).rejects.toMatchObject({ code: 'TargetNotEmpty' });
    await run(TARGET, database, 'DROP TABLE t');
    await expect(createTargetDatabase(args)).resolves.toEqual({ created: false });
  });
});

describe('a database of an earlier run', () => {
  it.each([
    ['goes on with it', true, ''],
    ['makes it anew where nothing can be gone on with', false, ''],
    ['leaves it to whom it was opened for', false, 'GRANT CONNECT ON DATABASE %I TO PUBLIC'],
  ])('a later run %s', async (_what, canGoOn, opened) => {
    const args = createArguments(SOURCE, TARGET, database, { canGoOn: () => Promise.resolve(canGoOn) });
    await createTargetDatabase(args);
    await run(TARGET, database, 'CREATE TABLE half_way ()');
    if (opened !== '') await run(TARGET, database, opened.replace('%I', quoteIdentifier(database)));
    const later = { ...args, identity: { ...args.identity, generation: 2 } };
    await expect(createTargetDatabase(later)).resolves.toEqual({ created: true });
    expect(await ledgerOf(TARGET, database)).toMatchObject({ generation: 2 });
    const { rowCount } = await withSession(TARGET, database, (client) =>
      client.query(`SELECT FROM pg_class WHERE relname = 'half_way'`),
    );
    expect(rowCount).toBe(canGoOn || opened !== '' ? 1 : 0);
    // the same run again, e.g. after its worker died
    await createTargetDatabase(later);
  });
});

async function leaveReleased(migrationId: string): Promise<void> {
  const identity = { migrationId, generation: 1 };
  await withSession(TARGET, database, async (client) => {
    await createLedger(client, identity, { databaseCreated: false });
    await releaseLedger(client, identity, {});
  });
}
