import { setTimeout as pause } from 'node:timers/promises';
import { quoteIdentifier } from '../../../postgres/connect';
import { testAddress, testEndpoint, type Major } from '../../support/servers';
import { TcpProxy } from '../../support/tcp-proxy';
import {
  changesOf,
  endOf,
  failureOf,
  failureWith,
  PREFIX,
  readTransactions,
  readUntil,
  StreamSource,
} from './stream-fixture';

describe.each<Major>([11, 17])('a stream from a server of major %d', (major) => {
  let source: StreamSource;
  let proxy: TcpProxy;

  beforeEach(async () => {
    source = await StreamSource.create(major, 'CREATE TABLE t (i int PRIMARY KEY, t text)');
    proxy = await TcpProxy.start(testAddress(major));
  });
  afterEach(async () => {
    await proxy.close();
    await source.drop();
  });

  const proxied = () => {
    const endpoint = testEndpoint(major, 'source', `${PREFIX}2`);
    return { ...endpoint, connectTimeout: 2_000, address: { ...endpoint.address, port: proxy.port } };
  };

  test('a network that breaks: what came is read, then Unreachable; the next stream brings all unconfirmed again', async () => {
    const stream = await source.open({ endpoint: proxied() });
    await source.sql('INSERT INTO t VALUES (1)');
    expect(changesOf((await readTransactions(stream, 1))[0])).toEqual(['insert t (1,NULL)']);
    proxy.cut();
    expect(await endOf(stream)).toEqual(failureWith('Unreachable'));
    expect(await failureOf(source.open({ endpoint: proxied(), from: 1n << 60n }))).toEqual(
      failureWith('Unreachable'),
    );
    proxy.reopen();
    proxy.delay(30);
    const again = await source.open({ endpoint: proxied() });
    await source.sql('INSERT INTO t VALUES (2)');
    expect((await readTransactions(again, 2)).map(changesOf)).toEqual([
      ['insert t (1,NULL)'],
      ['insert t (2,NULL)'],
    ]);
  });

  test('close() gives the slot back, also in the middle of a transaction that nobody reads', async () => {
    const stream = await source.open();
    await stream.close();
    expect(await source.isActive()).toBe(false);
    await stream.close();
    await expect(stream.read(0)).rejects.toThrow('closed');

    const stuffed = await source.open({ bufferBytes: 100_000 });
    await source.sql(`INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 30000) i`);
    await pause(500);
    await stuffed.close();
    expect(await source.isActive()).toBe(false);
  });

  test('the signal ends a read that waits, and gives the slot back', async () => {
    const controller = new AbortController();
    const stream = await source.open({ signal: controller.signal });
    const reading = readUntil(stream, () => false);
    setTimeout(() => controller.abort(new Error('called off')), 200);
    await expect(reading).rejects.toThrow('called off');
    await stream.close();
    expect(await source.isActive()).toBe(false);
    await expect(source.open({ signal: controller.signal })).rejects.toThrow('called off');
  });

  test('a walsender that is ended by somebody', async () => {
    const stream = await source.open();
    await source.sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${source.slot}'`,
    );
    const failure = await endOf(stream);
    expect(failure).toEqual(failureWith('ServerRestarting'));
    expect(failure.fields).toMatchObject({ sqlState: '57P01', side: 'source', database: source.database });
  });

  test('a slot, a publication that is gone: SlotLost with its remedy', async () => {
    const missing = await failureOf(source.open({ slot: 'flexlift_none' }));
    expect(missing).toEqual(failureWith('SlotLost'));
    expect(missing.message).toMatch(/flexlift_none does not exist\. .*Run flexlift recopy/);
    const stream = await source.open();
    await source.sql('INSERT INTO t VALUES (1)');
    await readTransactions(stream, 1);
    await source.sql(`DROP PUBLICATION ${quoteIdentifier(source.publication)}; INSERT INTO t VALUES (2)`);
    const dropped = await endOf(stream);
    expect(dropped).toEqual(failureWith('SlotLost'));
    expect(dropped.message).toContain(source.publication);
    await stream.close();
    expect(await failureOf(source.open())).toEqual(failureWith('SlotLost'));
  });

  test('a ledger behind the slot, and a source behind the ledger', async () => {
    const confirmed = await source.confirmed();
    const behind = await failureOf(source.open({ from: confirmed - 1n }));
    expect(behind).toEqual(failureWith('TargetRewound'));
    const ahead = await failureOf(source.open({ from: (await source.walEnd()) + 0x1000_0000n }));
    expect(ahead).toEqual(failureWith('SourceRewound'));
    expect(await source.isActive()).toBe(false);
  });
});

test('18: a publication that is dropped is not left out in silence', async () => {
  const source = await StreamSource.create(18, 'CREATE TABLE t (i int PRIMARY KEY)');
  try {
    const stream = await source.open();
    await source.sql(`DROP PUBLICATION ${quoteIdentifier(source.publication)}; INSERT INTO t VALUES (2)`);
    expect(await endOf(stream)).toEqual(failureWith('SlotLost'));
  } finally {
    await source.drop();
  }
});

test('11: a server that is silent because it goes through what is not published is not taken for dead', async () => {
  const source = await StreamSource.create(11, 'CREATE TABLE t (i int PRIMARY KEY); CREATE TABLE u (i int)');
  try {
    const publication = quoteIdentifier(source.publication);
    await source.sql(`DROP PUBLICATION ${publication}; CREATE PUBLICATION ${publication} FOR TABLE t`);
    const stream = await source.open({ silence: 500 });
    await source.sql('INSERT INTO u SELECT generate_series(1, 700000)');
    await source.sql('INSERT INTO t VALUES (1)');
    expect(changesOf((await readTransactions(stream, 1))[0])).toEqual(['insert t (1)']);
  } finally {
    await source.drop();
  }
});
