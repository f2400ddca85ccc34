import { createServer, type CreateServerOptions, type PostgresServer } from '../../embedded';
import { choosePort } from '../../embedded/ports';
import type { Endpoint } from '../../postgres/connect';

/** Behind those that a server looks for by itself. */
const FIRST_PORT = 15_600;
const PORTS_PER_WORKER = 100;

/** A server of one test file's own. No other file's server takes its port while this one is being restarted. */
export async function createOwnServer(options: CreateServerOptions): Promise<PostgresServer> {
  const worker = Number(process.env['JEST_WORKER_ID'] ?? 1);
  const port = await choosePort(undefined, FIRST_PORT + worker * PORTS_PER_WORKER);
  return await createServer({ ...options, port });
}

/** The superuser's sessions at the server, as a source. Unencrypted where `change` says no more. */
export function ownEndpoint(
  { host, port }: PostgresServer,
  applicationName: string,
  change: Partial<Endpoint['address']> = {},
): Endpoint {
  return {
    side: 'source',
    address: {
      ...{ host, port, user: 'postgres', maintenanceDatabase: 'postgres' },
      ...{ password: { kind: 'none' }, sslMode: 'disable' },
      ...change,
    },
    resolvePassword: () => Promise.resolve(undefined),
    applicationName,
    connectTimeout: 10_000,
  };
}
