import { stagingDatabase } from '../../../postgres/catalog';
import { migrationPrefix } from '../../../postgres/connect';
import { createTargetDatabase, dropTargetDatabase, endSessions } from '../../../postgres/database';
import { createLedger, releaseLedger } from '../../../postgres/ledger';
import { open } from '../../../postgres/connect';
import { createTestDatabase, dropTestDatabase, run, testEndpoint, withSession } from '../../support/servers';
import { createArguments, createNamed, dropRoles, exists, leaveInvalid, newMigrationId } from './support';

const SOURCE = 14;
const TARGET = 17;
const signal = new AbortController().signal;

let database: string;

beforeEach(async () => {
  database = await createTestDatabase(SOURCE, 'Drop "it".🐘');
});

afterEach(async () => {
  await dropTestDatabase(SOURCE, database);
  await dropTestDatabase(TARGET, database);
});

describe('dropping the target of a cancelled migration', () => {
  it('takes what is ours and open, with the sessions in it, and repeats harmlessly', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase(args);
    await withSession(TARGET, database, async () => {
      await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: true });
    });
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: false });
    expect(await exists(TARGET, database)).toBe(false);
  });

  it('takes a staging database that was left', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    const staging = stagingDatabase(args.identity.migrationId, database);
    await createNamed(TARGET, staging);
    await dropTargetDatabase(args);
    expect(await exists(TARGET, staging)).toBe(false);
  });

  it('takes what an interrupted DROP left', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase(args);
    await leaveInvalid(TARGET, database);
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: true });
    expect(await exists(TARGET, database)).toBe(false);
  });

  it('keeps what an interrupted DROP left of a database of somebody else', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createNamed(TARGET, database);
    await leaveInvalid(TARGET, database);
    const user = `flx_dropper_${args.identity.migrationId}`;
    await run(TARGET, 'postgres', `CREATE ROLE ${user} LOGIN CREATEDB`);
    args.target.address.user = user;
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: false });
    await dropRoles(TARGET, user);
    expect(await exists(TARGET, database)).toBe(true);
  });

  it('keeps a released one, one of another migration, and one without a ledger', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createNamed(TARGET, database);
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: false });
    const other = { migrationId: newMigrationId(), generation: 1 };
    await withSession(TARGET, database, (client) => createLedger(client, other, { databaseCreated: true }));
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: false });
    await withSession(TARGET, database, (client) => releaseLedger(client, other, {}));
    await expect(dropTargetDatabase({ ...args, identity: other })).resolves.toEqual({ dropped: false });
    expect(await exists(TARGET, database)).toBe(true);
  });

  it('refuses one that a later run took over', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase({ ...args, identity: { ...args.identity, generation: 2 } });
    await expect(dropTargetDatabase(args)).rejects.toMatchObject({ code: 'LedgerForeign' });
    expect(await exists(TARGET, database)).toBe(true);
  });

  it('never takes the maintenance database', async () => {
    const args = createArguments(SOURCE, TARGET, database);
    await createTargetDatabase(args);
    args.target.address.maintenanceDatabase = database;
    await expect(dropTargetDatabase(args)).resolves.toEqual({ dropped: false });
    await run(TARGET, database, 'TABLE flexlift.migration');
  });
});

describe('the sessions of a migration', () => {
  it('are ended, those of others stay', async () => {
    const migrationId = newMigrationId();
    const mine = (activity: string) =>
      testEndpoint(SOURCE, 'source', `${migrationPrefix(migrationId)}${activity}:0:1`);
    const keeper = await open(mine('keeper'), database);
    const elsewhere = await open(mine('copy'), 'postgres');
    const other = await open(testEndpoint(SOURCE, 'source', migrationPrefix(newMigrationId())), database);
    await keeper.query('BEGIN; SELECT pg_advisory_xact_lock(1)');
    const endpoint = mine('cleanUp');
    try {
      await expect(endSessions({ endpoint, migrationId, database, signal })).resolves.toBe(1);
      await expect(endSessions({ endpoint, migrationId, signal })).resolves.toBe(1);
      await expect(endSessions({ endpoint, migrationId, signal })).resolves.toBe(0);
      await expect(other.query('SELECT 1')).resolves.toMatchObject({ rowCount: 1 });
      await expect(keeper.query('SELECT 1')).rejects.toThrow();
    } finally {
      await Promise.all([keeper.end(), elsewhere.end(), other.end()]);
    }
  });
});
