import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../../support/eventually';
import { testAddress, testEndpoint } from '../../support/servers';
import { TcpProxy } from '../../support/tcp-proxy';
import {
  changesOf,
  endOf,
  failureOf,
  failureWith,
  PREFIX,
  readTransactions,
  StreamSource,
} from './stream-fixture';

const MAJOR = 14;

let source: StreamSource;
let proxy: TcpProxy;

beforeEach(async () => {
  source = await StreamSource.create(MAJOR, 'CREATE TABLE t (i int PRIMARY KEY, t text)');
  proxy = await TcpProxy.start(testAddress(MAJOR));
});
afterEach(async () => {
  await proxy.close();
  await source.drop();
});

const proxied = () => {
  const endpoint = testEndpoint(MAJOR, 'source', `${PREFIX}2`);
  return { ...endpoint, connectTimeout: 2_000, address: { ...endpoint.address, port: proxy.port } };
};

test('a half-open connection is noticed, and the server’s forgotten end of it is ended', async () => {
  const stream = await source.open({ endpoint: proxied(), silence: 3_000 });
  await stream.read(100);
  proxy.stall();
  const failure = await endOf(stream);
  expect(failure).toEqual(failureWith('Unreachable'));
  expect(failure.message).toContain('sent nothing for 3 seconds');
  await stream.close();
  expect(await source.isActive()).toBe(true);
  proxy.reopen();
  const strangers = source.open({ endpoint: proxied(), predecessorPrefix: 'flexlift:somebody else' });
  expect(await failureOf(strangers)).toEqual(failureWith('Contention'));
  const again = await source.open({ endpoint: proxied() });
  await source.sql('INSERT INTO t VALUES (1)');
  await readTransactions(again, 1);
});

test('a quiet server is not taken for a dead one', async () => {
  const stream = await source.open({ silence: 2_000 });
  const end = Date.now() + 5_000;
  while (Date.now() < end) await stream.read(1_000);
  await source.sql('INSERT INTO t VALUES (1)');
  await readTransactions(stream, 1);
});

test('a server that is held back by a slow reader is not taken for a dead one', async () => {
  const stream = await source.open({ silence: 2_000, bufferBytes: 100_000 });
  await source.sql(`INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 30000) i`);
  await pause(5_000);
  expect(changesOf((await readTransactions(stream, 1))[0])).toHaveLength(30_000);
});

test('a server that cuts clients off soon is told often enough, even by one that does not read', async () => {
  await source.sql(`ALTER DATABASE ${source.database} SET wal_sender_timeout = '2s'`);
  const stream = await source.open({ bufferBytes: 100_000 });
  await source.sql(`INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 30000) i`);
  await pause(5_000);
  expect(changesOf((await readTransactions(stream, 1))[0])).toHaveLength(30_000);
  await eventually('still at it', () => source.isActive());
});
