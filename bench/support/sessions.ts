import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import type { PostgresServer } from '../../embedded';
import type { Endpoint, Side } from '../../postgres/connect';

const USER = 'postgres';

export type ServerAddress = Pick<PostgresServer, 'host' | 'port'>;

export function uriOf({ host, port }: ServerAddress, database: string): string {
  return `postgres://${USER}@${host}:${port}/${database}`;
}

/** As libpq takes it. */
export function conninfoOf({ host, port }: ServerAddress, database: string): string {
  return `host=${host} port=${port} user=${USER} dbname=${database}`;
}

/** A bare session; the caller ends it. */
export async function openSession(server: ServerAddress, database: string): Promise<Client> {
  const client = new Client({ connectionString: uriOf(server, database) });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export async function withSession<T>(
  server: ServerAddress,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openSession(server, database);
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

export function endpointOf({ host, port }: ServerAddress, side: Side, applicationName: string): Endpoint {
  return {
    side,
    address: {
      host,
      port,
      user: USER,
      maintenanceDatabase: 'postgres',
      password: { kind: 'none' },
      sslMode: 'disable',
    },
    resolvePassword: () => Promise.resolve(undefined),
    applicationName,
    connectTimeout: 10_000,
  };
}

/** Asks again and again until there is an answer. Milliseconds. */
export async function poll<T>(
  interval: number,
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    const found = await look();
    if (found !== undefined) return found;
    await pause(interval);
  }
}
