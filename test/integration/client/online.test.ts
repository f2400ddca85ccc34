import { randomBytes } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { MigrationClient, taskQueues, type MigrationHandle } from '../../../client';
import { eventually } from '../../support/eventually';
import { testTemporalAddress } from '../../support/temporal';
import { standInActivities } from './stand-in-activities';

const pool = `client-${randomBytes(4).toString('hex')}`;
let client: MigrationClient;
let bare: Client;
let connection: NativeConnection;
let workers: { worker: Worker; done: Promise<void> }[] = [];

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = testTemporalAddress();
  client = await MigrationClient.connect({ address, namespace: 'default' });
  bare = new Client({ connection: await Connection.connect({ address }) });
  connection = await NativeConnection.connect({ address });
  const { control, copy, stream } = taskQueues(pool);
  const common = { connection, activities: standInActivities, shutdownForceTime: '2 s' };
  const created = await Promise.all([
    Worker.create({
      ...common,
      taskQueue: control,
      workflowsPath: require.resolve('./stand-in-workflows'),
      bundlerOptions: { webpackConfigHook: (config) => ({ ...config, cache: false }) },
    }),
    Worker.create({ ...common, taskQueue: copy }),
    Worker.create({ ...common, taskQueue: stream }),
  ]);
  workers = created.map((worker) => ({ worker, done: worker.run() }));
});

afterAll(async () => {
  for (const { worker } of workers) worker.shutdown();
  await Promise.all(workers.map(({ done }) => done));
  await connection.close();
  await bare.connection.close();
  await client.close();
});

async function start(mode: 'Online' | 'Offline' = 'Offline', name = newName()): Promise<MigrationHandle> {
  const server = { user: 'me', passwordEnv: 'PW' };
  const servers = { source: { ...server, host: 'old' }, target: { ...server, host: name } };
  return await client.create({ ...servers, name, mode, pool });
}

function newName(): string {
  return `client-${randomBytes(4).toString('hex')}`;
}

async function finish(handle: MigrationHandle): Promise<void> {
  await bare.workflow.getHandle(handle.workflowId).signal('finish');
  await handle.result();
}

test('a request returns when it is accepted, and its result when it is carried out', async () => {
  const handle = await start();
  const asked = Date.now();
  const accepted = await handle.cutover({ maxLagBytes: 7 });
  const took = Date.now() - asked;
  expect(await accepted.result()).toMatchObject({ source: 'read-only 7' });
  // the cutover takes two seconds
  expect(Date.now() - asked).toBeGreaterThanOrEqual(2_000);
  expect(took).toBeLessThan(1_900);
  await finish(handle);
});

test('a client that is closed waits for no answer, else a command would not end', async () => {
  const handle = await start();
  const other = await MigrationClient.connect({ address: testTemporalAddress(), namespace: 'default' });
  const accepted = await (await other.find(handle.name)).cutover();
  const result = accepted.result();
  const ended = Promise.race([result.catch(() => 'broken off'), handle.cutover().then((it) => it.result())]);
  await other.close();
  expect(await ended).toBe('broken off');
  await finish(handle);
});

test('what the migration refuses is told at once, in its words', async () => {
  const handle = await start();
  const refusal = { code: 'CutoverRefused', fields: { sentence: 'It is not ready.', remedy: 'Wait.' } };
  await expect(handle.cutover({ databases: ['unready'] })).rejects.toMatchObject(refusal);
  await finish(handle);
});

test('what fails later is told by the result', async () => {
  const handle = await start();
  const accepted = await handle.pause();
  await expect(accepted.result()).rejects.toMatchObject({ fields: { sentence: 'It cannot be paused.' } });
  await finish(handle);
});

test('a migration that is ended in the midst of it does not leave one waiting', async () => {
  const handle = await start();
  const accepted = await handle.cutover();
  await bare.workflow.getHandle(handle.workflowId).terminate();
  await expect(accepted.result()).rejects.toMatchObject({ name: 'FlexliftError' });
  const late = { code: 'InvalidRequest', message: expect.stringContaining('comes too late') as string };
  await expect(handle.cutover()).rejects.toMatchObject(late);
  await expect((await client.find(handle.name)).resume()).rejects.toMatchObject(late);
});

test('a snapshot has the newest figures of the replication, whose workflow went on as new', async () => {
  const handle = await start('Online');
  const shown = await eventually('figures of the applier', async () => {
    const { status, activities } = await handle.snapshot();
    const replication = status?.databases[0]?.replication;
    return replication?.lsn === '0/2' ? { replication, activities } : undefined;
  });
  // ready says the replication; the migration, which would refuse a cutover, has not heard so
  expect(shown.replication).toMatchObject({
    state: 'CatchingUp',
    lagBytes: 1,
    retainedBytes: 9,
    proven: { tables: 1, total: 1 },
  });
  expect(shown.activities).toMatchObject([{ activity: 'applyChanges', database: 'shop', what: 'changes' }]);
  await finish(handle);
});

describe('tidying', () => {
  test('is refused while the migration runs', async () => {
    const handle = await start();
    await expect(client.tidy(handle.name, 'all')).rejects.toMatchObject({
      code: 'InvalidRequest',
      fields: { remedy: expect.stringContaining('flexlift cancel') as string },
    });
    await expect(client.tidy(handle.name, 'fence')).rejects.toMatchObject({
      fields: { remedy: expect.stringContaining('cutover --abort') as string },
    });
    await finish(handle);
  });

  test("works with the ended run's own request, on its databases, one at a time", async () => {
    const handle = await start();
    await finish(handle);
    const { status } = await client.show(handle.name);
    const id = status?.migrationId;
    const looks: unknown[] = [];
    const both = await Promise.all([
      client.tidy(handle.name, 'all', { onActivities: (activities) => looks.push(activities) }),
      client.tidy(handle.name, 'fence', { databases: ['shop'] }),
    ]);
    expect(both).toEqual([
      ['all', id, 'shop'],
      ['fence', id, 'shop'],
    ]);
    expect(looks.length).toBeGreaterThan(0);
    await expect(client.tidy(handle.name, 'all', { databases: ['other'] })).rejects.toMatchObject({
      code: 'InvalidRequest',
      fields: { remedy: 'It has "shop".' },
    });
    const away = client.tidy(handle.name, 'all', { databases: ['shop', 'shop'] });
    await expect(away).rejects.toMatchObject({ fields: { sentence: 'The source cannot be reached.' } });
    expect(await client.list()).not.toContainEqual(
      expect.objectContaining({ workflowId: `${handle.workflowId}/tidy` }),
    );
  });
});
