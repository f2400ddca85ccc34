import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import type { ServerAddress } from '../../contract';
import { quoteIdentifier, type Endpoint, type Side } from '../../postgres/connect';

export const MAJORS = [11, 14, 15, 17, 18] as const;
export type Major = (typeof MAJORS)[number];

/** `11=5411,14=5414,…`: set by the global setup, or by hand to test against servers that run already. */
export const SERVERS_VARIABLE = 'FLEXLIFT_TEST_SERVERS';

/** From now on the tests' server of this major is the one at that port, in this file. */
export function useServerAt(major: Major, port: number): void {
  const others = (process.env[SERVERS_VARIABLE] ?? '')
    .split(',')
    .filter((text) => !text.startsWith(`${major}=`));
  process.env[SERVERS_VARIABLE] = [`${major}=${port}`, ...others].join(',');
}

export function testAddress(major: Major): ServerAddress {
  const entry = (process.env[SERVERS_VARIABLE] ?? '').split(',').find((text) => text.startsWith(`${major}=`));
  if (entry === undefined) throw new Error(`${SERVERS_VARIABLE} names no server of major ${major}`);
  return {
    host: '127.0.0.1',
    port: Number(entry.split('=')[1]),
    user: 'postgres',
    maintenanceDatabase: 'postgres',
    password: { kind: 'none' },
    sslMode: 'disable',
  };
}

export function testEndpoint(major: Major, side: Side, applicationName = 'flexlift-test'): Endpoint {
  return {
    side,
    address: testAddress(major),
    resolvePassword: () => Promise.resolve(undefined),
    applicationName,
    connectTimeout: 10_000,
  };
}

/** Runs `work` on a bare superuser session. */
export async function withSession<T>(
  major: Major,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { host, port, user } = testAddress(major);
  const client = new Client({ host, port, user, database });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Statements of a superuser, one after the other. */
export async function run(major: Major, database: string, ...statements: string[]): Promise<void> {
  await withSession(major, database, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** Creates an empty database with a name of its own; `options` is what follows its name, e.g. `ENCODING 'LATIN1'`. */
export async function createTestDatabase(major: Major, prefix = 'test', options = ''): Promise<string> {
  const name = `${prefix}_${randomBytes(4).toString('hex')}`;
  await withSession(major, 'postgres', (client) =>
    client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ${options}`),
  );
  return name;
}

export async function dropTestDatabase(major: Major, name: string): Promise<void> {
  await withSession(major, 'postgres', async (client) => {
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`);
  });
}
