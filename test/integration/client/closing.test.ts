import { setTimeout as pause } from 'node:timers/promises';
import { connectTemporal, type TemporalConnection } from '../../../client/temporal-connection';
import { TcpProxy } from '../../support/tcp-proxy';
import { testTemporalAddress } from '../../support/temporal';

const CLOSED = /CANCELLED: The connection was closed/;

let proxy: TcpProxy;
let temporal: TemporalConnection;

beforeEach(async () => {
  const [host = '', port = ''] = testTemporalAddress().split(':');
  proxy = await TcpProxy.start({ host, port: Number(port) });
  temporal = await connectTemporal({ address: `127.0.0.1:${proxy.port}`, namespace: 'default' });
});

afterEach(async () => {
  await temporal.close();
  await proxy.close();
});

/** Its message when it fails. */
async function failure(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'answered',
    (error: Error) => `${error.message} ${String(error.cause)}`,
  );
}

const describeNamespace = (): Promise<unknown> =>
  temporal.connection.workflowService.describeNamespace({ namespace: 'default' });

test('a call that waits for its answer ends with the connection', async () => {
  const handle = await temporal.client.workflow.start('nobody-does-this', {
    taskQueue: 'nobody-listens',
    workflowId: `closing-${proxy.port}`,
    workflowExecutionTimeout: '1 minute',
  });
  const ended = failure(handle.result());
  await pause(200);
  await temporal.close();
  expect(await ended).toMatch(CLOSED);
});

test('a call that waits for its next attempt ends with the connection', async () => {
  proxy.cut();
  const ended = failure(describeNamespace());
  // several attempts
  await pause(1_000);
  await temporal.close();
  expect(await ended).toMatch(CLOSED);
});

test('a call on a closed connection is refused', async () => {
  await temporal.close();
  expect(await failure(describeNamespace())).toMatch(CLOSED);
});

test('a call is made again until Temporal answers', async () => {
  proxy.cut();
  const answer = failure(describeNamespace());
  await pause(500);
  proxy.reopen();
  expect(await answer).toBe('answered');
});
