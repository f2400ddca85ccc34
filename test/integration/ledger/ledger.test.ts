import type { Client } from 'pg';
import { createLedger, once, readLedger, releaseLedger, withLedger } from '../../../postgres/ledger';
import { createTestDatabase, dropTestDatabase, withSession } from '../../support/servers';

const OURS = { migrationId: '0123456789ab', generation: 1 };
const NEXT = { ...OURS, generation: 2 };
const FOREIGN = { ...OURS, migrationId: 'ffffffffffff' };

let database: string;

beforeEach(async () => {
  database = await createTestDatabase(17, 'ledger');
});
afterEach(() => dropTestDatabase(17, database));

const session = <T>(work: (client: Client) => Promise<T>) => withSession(17, database, work);
const write = (client: Client, identity = OURS) =>
  withLedger(client, identity, () => client.query('SELECT 1'));

it('refuses work where there is no ledger', async () => {
  await session(async (client) => {
    await expect(write(client)).rejects.toMatchObject({ code: 'LedgerForeign' });
    expect(await readLedger(client)).toBeUndefined();
  });
});

it('is created once, by however many attempts at a time', async () => {
  const attempts = [1, 2, 3].map(() =>
    session((client) => createLedger(client, OURS, { databaseCreated: true })),
  );
  await Promise.all(attempts);
  expect(await session(readLedger)).toMatchObject({
    migration_id: OURS.migrationId,
    generation: 1,
    state: 'open',
  });
});

it('refuses another migration, and the run before once the next has taken over', async () => {
  await session(async (client) => {
    await createLedger(client, OURS, { databaseCreated: true });
    await expect(write(client, FOREIGN)).rejects.toMatchObject({ code: 'LedgerForeign' });
    await expect(createLedger(client, FOREIGN, { databaseCreated: true })).rejects.toMatchObject({
      code: 'LedgerForeign',
    });
    await createLedger(client, NEXT, { databaseCreated: true });
    await expect(write(client, OURS)).rejects.toMatchObject({ code: 'LedgerForeign' });
    await write(client, NEXT);
  });
});

it.each([
  ['compares its tables anew where an index is still to be built', false, { state: 'dead', checksum: 'c' }],
  ['takes it as it is where all are built', true, { state: 'complete', checksum: null }],
])('the next run finds all copied: %s', async (_what, isBuilt, found) => {
  await session(async (client) => {
    await createLedger(client, OURS, { databaseCreated: true });
    await client.query(`
      INSERT INTO flexlift.scope (snapshot, keeper, source_xmax, state) VALUES ('s', 'k', 1, 'complete');
      INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts,
                                       source_scope, source_rows, source_checksum)
      SELECT 5, 'public', 't', 0, 0, 1, scope, 1, 'c' FROM flexlift.scope;
      INSERT INTO flexlift.archive_entry (dump_id, position, section, phase, description, object, catalog_class,
                                          catalog_oid, table_oid, dependencies, statement)
      VALUES (7, 1, 'post-data', 'table', 'INDEX', 't_v', 0, 0, 5, '{}', 'CREATE INDEX t_v ON public.t (v)')`);
    if (isBuilt) await client.query(`INSERT INTO flexlift.step (kind, key) VALUES ('entry', '7')`);
    await createLedger(client, NEXT, { databaseCreated: true });
    const { rows } = await client.query(
      'SELECT state, source_checksum AS checksum FROM flexlift.scope, flexlift.table_load',
    );
    expect(rows).toEqual([found]);
  });
});

it('does a step once, although two attempts run side by side', async () => {
  await session((client) => createLedger(client, OURS, { databaseCreated: true }));
  await session((client) => client.query('CREATE TABLE public.done (n int)'));
  const attempt = () =>
    session((client) =>
      once(client, OURS, { kind: 'test', key: 'k' }, async () => {
        await client.query('SELECT pg_sleep(0.2)');
        await client.query('INSERT INTO public.done VALUES (1)');
      }),
    );
  expect((await Promise.all([attempt(), attempt()])).sort()).toEqual([false, true]);
  const { rows } = await session((client) => client.query('SELECT n FROM public.done'));
  expect(rows).toEqual([{ n: 1 }]);
});

it('forgets a step whose work failed', async () => {
  await session(async (client) => {
    await createLedger(client, OURS, { databaseCreated: true });
    const step = { kind: 'test', key: 'k' };
    await expect(once(client, OURS, step, () => client.query('SELECT 1 / 0'))).rejects.toThrow(
      'division by zero',
    );
    expect(await once(client, OURS, step, () => Promise.resolve())).toBe(true);
  });
});

it('refuses every write after the release, and the release waits for the writes before it', async () => {
  await session((client) => createLedger(client, OURS, { databaseCreated: true }));
  const order: string[] = [];
  const late = session((client) =>
    withLedger(client, OURS, async () => {
      await client.query('SELECT pg_sleep(0.3)');
      order.push('write');
    }),
  );
  await new Promise((resume) => setTimeout(resume, 100));
  const release = session((client) => releaseLedger(client, OURS, { tables: [] })).then(() =>
    order.push('release'),
  );
  await Promise.all([late, release]);
  expect(order).toEqual(['write', 'release']);
  await session(async (client) => {
    await expect(write(client)).rejects.toMatchObject({ code: 'LedgerReleased' });
    // which the release has dropped
    const late = withLedger(client, OURS, () => Promise.resolve(), ['SELECT lsn FROM flexlift.stream']);
    await expect(late).rejects.toMatchObject({ code: 'LedgerReleased' });
    await expect(createLedger(client, NEXT, { databaseCreated: true })).rejects.toMatchObject({
      code: 'LedgerReleased',
    });
    await releaseLedger(client, OURS, { tables: [] });
    const { rows } = await client.query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'flexlift'::regnamespace AND relkind = 'r'`,
    );
    expect(rows).toEqual([{ relname: 'migration' }]);
  });
});
