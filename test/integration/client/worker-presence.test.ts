import { randomBytes } from 'node:crypto';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { connectTemporal, type TemporalConnection } from '../../../client/temporal-connection';
import { assertControlled, assertPoolServed, isWorkerPresent } from '../../../client/worker-presence';
import { taskQueues } from '../../../contract';
import { testTemporalAddress } from '../../support/temporal';
import { standInActivities } from './stand-in-activities';

/** Milliseconds. */
const PATIENCE = 1_000;

let pool: string;
let temporal: TemporalConnection;
let connection: NativeConnection;
let worker: Worker;
let done: Promise<void>;

/** Of a pool whose copies fill all slots, nobody polls for more of them. */
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const address = testTemporalAddress();
  pool = `presence-${randomBytes(4).toString('hex')}`;
  temporal = await connectTemporal({ address, namespace: 'default' });
  connection = await NativeConnection.connect({ address });
  worker = await Worker.create({
    connection,
    activities: standInActivities,
    taskQueue: taskQueues(pool).control,
    workflowsPath: require.resolve('./stand-in-workflows'),
    bundlerOptions: { webpackConfigHook: (config) => ({ ...config, cache: false }) },
  });
  done = worker.run();
});

afterAll(async () => {
  worker.shutdown();
  await done;
  await connection.close();
  await temporal.close();
});

test('whose workflows are polled for is there, and can be given orders', async () => {
  await assertControlled(temporal, pool);
  expect(await isWorkerPresent(temporal, pool, process.pid)).toBe(true);
  expect(await isWorkerPresent(temporal, pool, process.pid + 1)).toBe(false);
  await expect(assertControlled(temporal, `${pool}-other`, PATIENCE)).rejects.toMatchObject({
    code: 'NoWorker',
  });
});

test('what nobody polls for is missed by a new migration, unless others may keep all slots busy', async () => {
  const { copy, stream, control } = taskQueues(pool);
  const served = () => assertPoolServed(temporal, pool, PATIENCE);
  await expect(served()).rejects.toMatchObject({
    code: 'NoWorker',
    message: expect.stringContaining(`${copy}, ${stream}`) as string,
  });
  const busy = await temporal.client.workflow.start('nobody-does-this', {
    taskQueue: control,
    workflowId: `presence-${pool}`,
    startDelay: '1 minute',
  });
  await assertPoolServed(temporal, pool);
  await busy.terminate();
});
