import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import type { PostgresServer } from '../../../embedded';
import { open, type Endpoint } from '../../../postgres/connect';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { openChangeStream, withExactSnapshot, type ChangeStream } from '../../../postgres/replicate/pgoutput';
import { changesOf, endOf, failureOf, failureWith, readTransactions } from './stream-fixture';
import { createOwnServer, ownEndpoint } from '../../support/own-server';

/** One slot at most, and little WAL kept for it. */
const SETTINGS = {
  fsync: false,
  wal_level: 'logical',
  max_replication_slots: 1,
  max_slot_wal_keep_size: '2MB',
  max_wal_size: '2MB',
  min_wal_size: '2MB',
};
const SLOT = 'flexlift_only';
const signal = new AbortController().signal;

let root: string;
let server: PostgresServer;
let endpoint: Endpoint;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-stream-'));
  chmodSync(root, 0o711);
  server = await createOwnServer({
    major: 17,
    directory: join(root, 'pg17'),
    settings: SETTINGS,
    initdbArgs: ['--wal-segsize=1'],
  });
  await server.start();
  endpoint = ownEndpoint(server, 'flexlift-stream');
  await sql(`CREATE TABLE t (i int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLE t`);
  await sql(`SELECT pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`);
});
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

async function session<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = await open(endpoint, 'postgres');
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

const sql = (text: string) => session((client) => client.query(text));

async function openStream(): Promise<ChangeStream> {
  const { rows } = await session((client) =>
    client.query<{ lsn: string }>('SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots'),
  );
  const from = parseLsn(rows[0]?.lsn ?? '');
  const wanted = { endpoint, database: 'postgres', slot: SLOT, publications: ['pub'], from, signal };
  return await session((client) => openChangeStream({ ...wanted, session: client }));
}

/** Confirms all that comes, until the stream ends. */
async function confirmAll(stream: ChangeStream): Promise<void> {
  for (;;) {
    for (const event of await stream.read(1_000)) {
      if (event.kind === 'commit') stream.confirm(event.endLsn);
      if (event.kind === 'position') stream.confirm(event.lsn);
    }
  }
}

async function makeWal(): Promise<void> {
  for (let i = 0; i < 8; i++) {
    await sql(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 900000)), pg_switch_wal()`);
  }
  await sql('CHECKPOINT');
}

test('no slot is free', async () => {
  const args = { endpoint, database: 'postgres', signal, slotName: 'flexlift_second' };
  const failure = await failureOf(withExactSnapshot(args, () => Promise.resolve()));
  expect(failure).toEqual(failureWith('ResourceExhausted'));
  expect(failure.fields).toMatchObject({ sqlState: '53400', side: 'source', database: 'postgres' });
  expect(failure.fields.remedy).toContain('max_replication_slots');
});

test('a shutdown waits for nobody who confirms, ends the stream, and the next one goes on', async () => {
  const stream = await openStream();
  const ending = failureOf(confirmAll(stream));
  await sql('INSERT INTO t VALUES (1)');
  await server.restart('fast');
  expect(await ending).toEqual(failureWith('ServerRestarting'));
  await stream.close();
  const again = await openStream();
  await sql('INSERT INTO t VALUES (2)');
  const [transaction] = await readTransactions(again, 1);
  expect(changesOf(transaction)).toEqual(['insert t (2)']);
  expect([stream.timeline, again.timeline]).toEqual([1, 1]);
  await again.close();
});

test('a crash of the server', async () => {
  const stream = await openStream();
  const ending = endOf(stream);
  await server.kill();
  expect(await ending).toEqual(failureWith('Unreachable'));
  await stream.close();
  await server.start();
  await (await openStream()).close();
});

test('WAL that is removed while the stream is read ends it; from then on the slot is lost', async () => {
  const stream = await openStream();
  const ending = endOf(stream);
  await makeWal();
  await makeWal();
  expect(await ending).toEqual(failureWith('ServerRestarting'));
  await stream.close();
  const failure = await failureOf(openStream());
  expect(failure).toEqual(failureWith('SlotLost'));
  expect(failure.message).toContain('Run flexlift recopy');
});
