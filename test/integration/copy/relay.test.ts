import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { open, socketOf } from '../../../postgres/connect';
import { Pace } from '../../../postgres/copy';
import { eventually } from '../../support/eventually';
import { relayCopy } from '../../support/relay-copy';
import { testAddress, testEndpoint } from '../../support/servers';
import { never, Pair } from './fixture';

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.create(14, 17);
  await pair.both('CREATE TABLE t (id int, v text)');
  await pair.sql('source', `INSERT INTO t SELECT g, repeat('x', 1000) FROM generate_series(1, 100000) g`);
});

afterAll(() => pair.drop());

const copyTo = 'COPY public.t TO STDOUT';
const copyFrom = 'COPY public.t FROM STDIN';

async function withClients(work: (source: Client, target: Client) => Promise<void>): Promise<void> {
  await pair.session('source', (source) => pair.session('target', (target) => work(source, target)));
}

async function pidOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid ?? 0;
}

/** Runs `action` once, when a good deal has been forwarded. */
function midStream(action: () => void): () => void {
  let chunks = 0;
  return () => {
    chunks += 1;
    if (chunks === 50) action();
  };
}

async function targetRows(): Promise<number> {
  const [row] = await pair.sql<{ count: string }>('target', 'SELECT count(*) FROM t');
  return Number(row?.count);
}

/** The session is in order: it answers, and rightly. */
async function expectUsable(client: Client): Promise<void> {
  const { rows } = await client.query('SELECT 42 AS answer');
  expect(rows).toEqual([{ answer: 42 }]);
}

test.each(['text', 'binary'])('copies all rows and leaves both sessions in order, %s', async (format) => {
  await withClients(async (source, target) => {
    const progress: number[] = [];
    const result = await relayCopy({
      source,
      target,
      copyTo: `${copyTo} (FORMAT ${format})`,
      copyFrom: `${copyFrom} (FORMAT ${format})`,
      signal: never,
      onProgress: ({ bytes }) => progress.push(bytes),
    });
    expect(result.rows).toBe(100_000);
    expect(result.bytes).toBeGreaterThan(100_000_000);
    expect(progress.at(-1)).toBe(result.bytes);
    await expectUsable(source);
    await expectUsable(target);
    expect(socketOf(target).listenerCount('drain')).toBe(0);
    await target.query('TRUNCATE public.t');
  });
});

test('the source is held as long as the pace has it, and the target gets all in the end', async () => {
  await withClients(async (source, target) => {
    let rate: number | undefined = 1;
    let passed = 0;
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom,
      signal: never,
      pace: new Pace(() => rate),
      onProgress: ({ bytes }) => (passed = bytes),
    });
    await eventually('the source to be held', () =>
      Promise.resolve(passed > 0 && socketOf(source).isPaused()),
    );
    // longer than any hold before it is looked at once more
    await pause(1_500);
    expect(passed).toBeLessThan(20_000_000);
    rate = undefined;
    expect((await copying).rows).toBe(100_000);
    await expectUsable(source);
    await expectUsable(target);
    await target.query('TRUNCATE public.t');
  });
});

test('no rows at all', async () => {
  await withClients(async (source, target) => {
    const result = await relayCopy({
      source,
      target,
      copyTo: 'COPY (SELECT * FROM public.t WHERE false) TO STDOUT (FORMAT binary)',
      copyFrom: `${copyFrom} (FORMAT binary)`,
      signal: never,
    });
    expect(result.rows).toBe(0);
    await expectUsable(source);
  });
});

test('the target refuses the statement: nothing was asked of the source', async () => {
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom: 'COPY public.missing FROM STDIN',
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'target', sqlState: '42P01' } });
    await expectUsable(source);
    await expectUsable(target);
  });
});

test('the source refuses the statement: the target goes on in order', async () => {
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo: 'COPY public.missing TO STDOUT',
      copyFrom,
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'source', sqlState: '42P01' } });
    await expectUsable(source);
    await expectUsable(target);
  });
});

test('an error of the source in mid-stream', async () => {
  await withClients(async (source, target) => {
    const query = 'SELECT id, 1 / (70000 - id) FROM public.t';
    const copying = relayCopy({
      source,
      target,
      copyTo: `COPY (${query}) TO STDOUT`,
      copyFrom,
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'source', sqlState: '22012' } });
    await expectUsable(source);
    await expectUsable(target);
    expect(await targetRows()).toBe(0);
  });
});

test.each(['source', 'target'] as const)(
  'the backend of the %s is terminated in mid-stream',
  async (side) => {
    await withClients(async (source, target) => {
      const pid = await pidOf(side === 'source' ? source : target);
      const terminate = () => void pair.sql(side, 'SELECT pg_terminate_backend($1)', [pid]);
      const copying = relayCopy({
        source,
        target,
        copyTo,
        copyFrom,
        signal: never,
        onProgress: midStream(terminate),
      });
      await expect(copying).rejects.toMatchObject({ fields: { side }, failureClass: 'transient' });
    });
    expect(await targetRows()).toBe(0);
  },
);

test.each(['source', 'target'] as const)('the socket to the %s breaks in mid-stream', async (side) => {
  await withClients(async (source, target) => {
    const cut = () => void socketOf(side === 'source' ? source : target).destroy();
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom,
      signal: never,
      onProgress: midStream(cut),
    });
    await expect(copying).rejects.toMatchObject({ fields: { side, code: 'Unreachable' } });
  });
  expect(await targetRows()).toBe(0);
});

test('a value that the target refuses in mid-stream is not quoted', async () => {
  await pair.sql('target', 'CREATE TABLE narrow (id int, v int)');
  await withClients(async (source, target) => {
    const query = `SELECT id, CASE id WHEN 60000 THEN 'secret value' ELSE '1' END FROM public.t`;
    const copying = relayCopy({
      source,
      target,
      copyTo: `COPY (${query}) TO STDOUT`,
      copyFrom: 'COPY public.narrow FROM STDIN',
      object: '"public"."narrow"',
      signal: never,
    });
    const failure = await copying.catch((error: unknown) => error);
    expect(failure).toMatchObject({
      fields: { side: 'target', code: 'DataRejected', object: '"public"."narrow"' },
    });
    expect(String(failure)).not.toContain('secret');
  });
});

test('a constraint of the target in mid-stream', async () => {
  await pair.sql('target', 'CREATE TABLE checked (id int CONSTRAINT small CHECK (id < 50000), v text)');
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom: 'COPY public.checked FROM STDIN',
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'target', sqlState: '23514' } });
  });
});

test('an error of the target after the last row', async () => {
  await pair.sql(
    'target',
    `CREATE TABLE late (id int, v text);
     CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'too late'; END $$;
     CREATE TRIGGER late AFTER INSERT ON late EXECUTE FUNCTION refuse()`,
  );
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom: 'COPY public.late FROM STDIN',
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'target', sqlState: 'P0001' } });
    await expectUsable(source);
    await expectUsable(target);
  });
});

test('rows that the target drops are missed', async () => {
  await pair.sql(
    'target',
    `CREATE TABLE leaky (id int, v text);
     CREATE FUNCTION leak() RETURNS trigger LANGUAGE plpgsql
       AS $$ BEGIN IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END $$;
     CREATE TRIGGER leak BEFORE INSERT ON leaky FOR EACH ROW EXECUTE FUNCTION leak()`,
  );
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom: 'COPY public.leaky FROM STDIN',
      signal: never,
    });
    await expect(copying).rejects.toThrow('The source sent 100000 rows and the target stored 99999.');
  });
});

test('the signal stops both sides at once', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  await withClients(async (source, target) => {
    const stop = midStream(() => controller.abort(reason));
    const copying = relayCopy({
      source,
      target,
      copyTo,
      copyFrom,
      signal: controller.signal,
      onProgress: stop,
    });
    await expect(copying).rejects.toBe(reason);
  });
  expect(await targetRows()).toBe(0);
});

test('a target that takes nothing pauses the source, and memory stays flat', async () => {
  const address = testAddress(17);
  let held = false;
  const upstreams: Socket[] = [];
  const proxy = createServer((downstream) => {
    const upstream = open17();
    upstreams.push(upstream);
    upstream.on('data', (chunk) => downstream.write(chunk));
    downstream.on('data', (chunk) => {
      upstream.write(chunk);
      if (held) downstream.pause();
    });
    for (const socket of [upstream, downstream]) socket.on('error', () => undefined);
    downstream.on('close', () => upstream.destroy());
    const release = setInterval(() => held || downstream.resume(), 20);
    downstream.on('close', () => clearInterval(release));
  });
  const { connect } = await import('node:net');
  const open17 = () => connect(address.port, address.host);
  await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', listening));
  const endpoint = testEndpoint(17, 'target');
  endpoint.address = { ...address, port: (proxy.address() as AddressInfo).port };
  const target = await open(endpoint, pair.databases.target);
  try {
    await pair.session('source', async (source) => {
      held = true;
      let bytes = 0;
      const copying = relayCopy({
        source,
        target,
        copyTo,
        copyFrom,
        signal: never,
        onProgress: (progress) => (bytes = progress.bytes),
      });
      await pause(500);
      const taken = bytes;
      await pause(300);
      expect(bytes).toBe(taken);
      expect(taken).toBeLessThan(30_000_000);
      expect(socketOf(target).writableLength).toBeLessThan(2_000_000);
      held = false;
      expect((await copying).rows).toBe(100_000);
    });
  } finally {
    held = false;
    await target.query('TRUNCATE public.t');
    await target.end();
    for (const upstream of upstreams) upstream.destroy();
    proxy.close();
  }
});

test('a value of 200 MB passes in small pieces', async () => {
  await pair.both('CREATE TABLE huge (v bytea); ALTER TABLE huge ALTER COLUMN v SET STORAGE EXTERNAL');
  await pair.sql('source', `INSERT INTO huge SELECT decode(repeat('ab', 200000000), 'hex')`);
  await withClients(async (source, target) => {
    const before = process.memoryUsage().rss;
    let most = 0;
    const result = await relayCopy({
      source,
      target,
      copyTo: 'COPY public.huge TO STDOUT (FORMAT binary)',
      copyFrom: 'COPY public.huge FROM STDIN (FORMAT binary)',
      signal: never,
      onProgress: () => (most = Math.max(most, process.memoryUsage().rss)),
    });
    expect(result.rows).toBe(1);
    expect(most - before).toBeLessThan(100_000_000);
    const { rows } = await target.query('SELECT length(v) AS length FROM public.huge');
    expect(rows).toEqual([{ length: 200_000_000 }]);
  });
});

test('killed in the middle of a message: nothing hangs', async () => {
  await withClients(async (source, target) => {
    const pid = await pidOf(source);
    const terminate = midStream(() => void pair.sql('source', 'SELECT pg_terminate_backend($1)', [pid]));
    const copying = relayCopy({
      source,
      target,
      copyTo: 'COPY public.huge TO STDOUT (FORMAT binary)',
      copyFrom: 'COPY public.huge FROM STDIN (FORMAT binary)',
      signal: never,
      onProgress: terminate,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'source' } });
  });
});

test('the target refuses a row while a long one is on its way', async () => {
  await pair.sql('target', 'ALTER TABLE huge ADD CONSTRAINT not_one CHECK (length(v) <> 1)');
  await withClients(async (source, target) => {
    const copying = relayCopy({
      source,
      target,
      copyTo: `COPY (SELECT '\\x01'::bytea UNION ALL SELECT v FROM public.huge) TO STDOUT (FORMAT binary)`,
      copyFrom: 'COPY public.huge FROM STDIN (FORMAT binary)',
      signal: never,
    });
    await expect(copying).rejects.toMatchObject({ fields: { side: 'target', sqlState: '23514' } });
  });
});
