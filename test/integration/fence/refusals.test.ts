import { quoteIdentifier } from '../../../postgres/connect';
import { readFence } from '../../../postgres/fence';
import { eventually } from '../../support/eventually';
import { FencedSource, pidOf, refusal } from './support';

let source: FencedSource;
afterEach(() => source.drop());

test('a prepared transaction is named and nothing is fenced', async () => {
  source = await FencedSource.create(15);
  await source.admin(
    'BEGIN',
    'INSERT INTO t (writer) VALUES (1)',
    `PREPARE TRANSACTION 'the "gid" ${source.database}'`,
  );
  const before = await source.footprint();
  const { message } = await refusal(source.raise());
  expect(message).toContain('1 prepared transactions, which could still be committed: "the \\"gid\\"');
  expect(await source.footprint()).toEqual(before);
  await source.admin(`ROLLBACK PREPARED 'the "gid" ${source.database}'`);
});

test('a transaction that is prepared while the fence is raised is found as well', async () => {
  source = await FencedSource.create(17);
  const before = await source.footprint();
  const late = await source.connect('postgres', { applicationName: 'late' });
  await late.query('BEGIN; INSERT INTO t (writer) VALUES (1)');
  const raised = refusal(source.raise());
  await eventually('the fence', () => source.asOwner(readFence));
  await late.query(`PREPARE TRANSACTION 'late ${source.database}'`);
  await late.end();
  expect((await raised).message).toContain(`"late ${source.database}"`);
  expect(await source.footprint()).toEqual(before);
  await source.admin(`ROLLBACK PREPARED 'late ${source.database}'`);
});

test("a superuser's session is waited for, then named, and nothing is fenced", async () => {
  source = await FencedSource.create(17);
  const before = await source.footprint();
  const root = await source.connect('postgres', { applicationName: 'root tool' });
  const { message } = await refusal(source.raise());
  expect(message).toContain(`process ${pidOf(root)} of user "postgres" (root tool)`);
  expect(message).toContain('pg_signal_backend');
  expect((await root.query('SELECT 1')).rowCount).toBe(1);
  expect(await source.footprint()).toEqual(before);
  await root.end();
});

test("a provider's own superuser, with sessions and settings, is in nobody's way", async () => {
  source = await FencedSource.create(17);
  await source.admin(
    'CREATE ROLE rdsadmin SUPERUSER LOGIN',
    'ALTER ROLE rdsadmin SET default_transaction_read_only = off',
  );
  try {
    const housekeeping = await source.connect('rdsadmin');
    await source.raise();
    expect((await housekeeping.query('SELECT 1')).rowCount).toBe(1);
    await housekeeping.end();
  } finally {
    await source.admin('SET transaction_read_only = off; DROP ROLE rdsadmin');
  }
});

test('a role that we may not alter, and the fence of another migration, are named', async () => {
  source = await FencedSource.create(17);
  await source.admin(
    `CREATE ROLE flx_fence_alien LOGIN`,
    `ALTER ROLE flx_fence_alien IN DATABASE ${quoteIdentifier(source.database)} SET default_transaction_read_only = off`,
  );
  try {
    const before = await source.footprint();
    expect((await refusal(source.raise())).message).toContain(
      'Role "flx_fence_alien" has a setting of its own',
    );
    expect(await source.footprint()).toEqual(before);
  } finally {
    await source.admin('DROP ROLE flx_fence_alien');
  }
  await source.raise({ migrationId: 'aaaaaaaaaaaa' });
  expect((await refusal(source.raise())).message).toContain('flexlift_aaaaaaaaaaaa_fence');
  await source.raise({ migrationId: 'aaaaaaaaaaaa', mode: 'revoke-connect' });
  expect(await source.asOwner((client) => readFence(client))).toMatchObject({
    mode: 'revoke-connect',
    database: null,
  });
  await expect(source.admin(`COMMENT ON PUBLICATION flexlift_aaaaaaaaaaaa_fence IS 'mine'`)).rejects.toThrow(
    'read-only',
  );
  await source.admin(
    `BEGIN READ WRITE; COMMENT ON PUBLICATION flexlift_aaaaaaaaaaaa_fence IS 'mine'; COMMIT`,
  );
  await expect(source.lift({ migrationId: 'aaaaaaaaaaaa' })).rejects.toMatchObject({ code: 'CleanUpNeeded' });
});
