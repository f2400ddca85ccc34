import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createListener, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type ClientConfig } from 'pg';
import { createServer, openServer, type CreateServerOptions, type PostgresServer } from '../../../embedded';
import { childrenOf, isAlive } from '../../../embedded/process-identity';

let root: string;
const servers: PostgresServer[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-server-'));
  chmodSync(root, 0o711);
});

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.remove()));
  rmSync(root, { recursive: true, force: true });
});

async function create(options: Partial<CreateServerOptions> = {}): Promise<PostgresServer> {
  const directory = join(root, `server ${servers.length}`);
  const server = await createServer({ major: 17, directory, settings: { fsync: false }, ...options });
  servers.push(server);
  return server;
}

async function withClient<T>(
  server: PostgresServer,
  config: ClientConfig,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port } = server;
  const client = new Client({ host, port, user: 'postgres', database: 'postgres', ...config });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The first value of the answer, as text. */
function ask(server: PostgresServer, query: string, config: ClientConfig = {}): Promise<string | undefined> {
  return withClient(server, config, async (client) => {
    const { rows } = await client.query<[string]>({ text: query, rowMode: 'array' });
    return rows[0]?.[0];
  });
}

function postmasterPid(server: PostgresServer): number {
  return Number(readFileSync(join(server.directory, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

test('a server has the settings it was asked for, and answers by TCP and by its socket', async () => {
  const server = await create({ settings: { max_connections: 33, 'flexlift.text': `it's a \\ "thing"` } });
  await server.start();
  expect(await ask(server, 'SHOW server_version')).toMatch(/^17\./);
  expect(await ask(server, 'SHOW max_connections')).toBe('33');
  expect(await ask(server, 'SHOW flexlift.text')).toBe(`it's a \\ "thing"`);
  expect(await ask(server, 'SHOW listen_addresses')).toBe('127.0.0.1');
  expect(await ask(server, 'SELECT datcollate FROM pg_database')).toBe('C.UTF-8');
  expect(await ask(server, 'SHOW port', { host: server.socketDirectory })).toBe(String(server.port));
});

test('a path too long for a socket leaves the server without one', async () => {
  const server = await create({ directory: join(root, 'd'.repeat(90)) });
  await server.start();
  expect(server.socketDirectory).toBeUndefined();
  expect(await ask(server, 'SHOW unix_socket_directories')).toBe('');
});

test('with a password nobody enters without it', async () => {
  const server = await create({ password: "p'ss wörd" });
  await server.start();
  expect(await ask(server, 'SELECT 1::text', { password: "p'ss wörd" })).toBe('1');
  await expect(ask(server, 'SELECT 1', { password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
});

test('options of initdb are kept apart from the cluster without them', async () => {
  const plain = await create({ major: 15 });
  const checked = await create({ major: 15, initdbArgs: ['--data-checksums'] });
  await Promise.all([plain.start(), checked.start()]);
  expect(await ask(plain, 'SHOW data_checksums')).toBe('off');
  expect(await ask(checked, 'SHOW data_checksums')).toBe('on');
});

test('stopped, killed and taken over by another process, it keeps its port and data', async () => {
  const server = await create();
  await server.start();
  await ask(server, 'CREATE TABLE kept AS SELECT 1 AS one');
  await server.restart('immediate');
  await server.kill();
  expect(server.isRunning).toBe(false);
  await server.start();
  const again = await openServer(server.directory);
  expect(again).toMatchObject({ port: server.port, isRunning: true });
  expect(await ask(server, 'SELECT one::text FROM kept')).toBe('1');
  await again?.stop();
  expect(server.isRunning).toBe(false);
});

test('kill ends the busy backends too', async () => {
  const server = await create();
  await server.start();
  const busy = ask(server, 'SELECT count(*) FROM generate_series(1, 1e12)').catch((error: Error) => error);
  const pid = postmasterPid(server);
  while (
    (await ask(server, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%1e12%'")) !== '2'
  );
  const children = childrenOf(pid);
  expect(children.length).toBeGreaterThan(4);
  await server.kill();
  expect(children.filter(isAlive)).toEqual([]);
  expect(await busy).toBeInstanceOf(Error);
});

test('the pid of a dead server that another process has now is not taken for the server', async () => {
  const server = await create();
  await server.start();
  await server.kill();
  writeFileSync(join(server.directory, 'data', 'postmaster.pid'), `${process.pid}\n`);
  expect(server.isRunning).toBe(false);
  await server.stop('immediate');
  await server.kill();
});

test('a port that was taken since is replaced before the first start, and an error when it was asked for', async () => {
  const [chosen, asked] = [await create(), await create({ port: 25_999 })];
  const thieves = await Promise.all([chosen.port, asked.port].map(listenAt));
  try {
    const before = chosen.port;
    await chosen.start();
    expect(chosen.port).not.toBe(before);
    await expect(asked.start()).rejects.toMatchObject({
      fields: { code: 'Unreachable', sentence: expect.stringContaining('could not bind') as string },
    });
    expect(asked.isRunning).toBe(false);
  } finally {
    thieves.forEach((thief) => thief.close());
  }
});

function listenAt(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createListener();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

test('a directory that the server can not enter is an error that says so', async () => {
  const closed = join(root, 'closed');
  mkdirSync(closed, { mode: process.getuid?.() === 0 ? 0o700 : 0o500 });
  await expect(create({ directory: join(closed, 'server') })).rejects.toMatchObject({
    fields: { code: 'InvalidRequest', sentence: expect.stringContaining(closed) as string },
  });
});
