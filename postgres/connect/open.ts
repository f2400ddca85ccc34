import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import { FlexliftError, type SslMode } from '../../contract';
import type { Endpoint, Side } from './endpoint';
import { readingSocket } from './reading-socket';

export interface ConnectionKind {
  /** A walsender's session in this database: it takes replication commands, and SQL by the simple protocol alone. */
  replication?: boolean;
}

/** How long a server may take to close its end of a session that is over. Milliseconds. */
const CLOSE_LIMIT = 5_000;

/** What a session ended of. */
const endOf = new WeakMap<Client, Error>();

/** Opens a bare connection without our session settings; the caller closes it. */
export async function open(endpoint: Endpoint, database: string, kind: ConnectionKind = {}): Promise<Client> {
  const { sslMode } = endpoint.address;
  if (sslMode !== 'prefer') return await connectOnce(endpoint, database, sslMode, kind);
  try {
    return await connectOnce(endpoint, database, 'require', kind);
  } catch (error) {
    if (error instanceof Error && /does not support SSL/i.test(error.message)) {
      return await connectOnce(endpoint, database, 'disable', kind);
    }
    throw error;
  }
}

async function connectOnce(
  endpoint: Endpoint,
  database: string,
  sslMode: SslMode,
  { replication = false }: ConnectionKind,
): Promise<Client> {
  const { address } = endpoint;
  const ssl = await tlsOptions(endpoint, sslMode);
  const config: ClientConfig & { replication?: 'database' } = {
    host: address.host,
    port: address.port,
    user: address.user,
    database,
    password: await endpoint.resolvePassword(),
    application_name: endpoint.applicationName,
    connectionTimeoutMillis: endpoint.connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ssl,
    // beneath TLS it is OpenSSL that reads
    ...(ssl === false ? { stream: readingSocket } : {}),
    ...(replication ? { replication: 'database' } : {}),
  };
  const client = new Client(config);
  // a session's end arrives as an event; the next query on it fails, but no longer says why: least of all a socket
  client.on('error', (error) => {
    if (!endOf.has(client) || error instanceof DatabaseError) endOf.set(client, error);
  });
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  return client;
}

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION */
async function tlsOptions({ side, address }: Endpoint, sslMode: SslMode): Promise<ConnectionOptions | false> {
  const { host, sslRootCert } = address;
  if (sslMode === 'disable' || host.startsWith('/')) return false;
  if (sslMode === 'require' || sslMode === 'prefer') return { rejectUnauthorized: false };
  const ca = sslRootCert === undefined ? undefined : await readRootCertificate(sslRootCert, side);
  if (sslMode === 'verify-full') return { rejectUnauthorized: true, ca };
  return { rejectUnauthorized: true, ca, checkServerIdentity: () => undefined };
}

async function readRootCertificate(path: string, side: Side): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new FlexliftError(
      {
        code: 'SecretMissing',
        sentence: `The root certificate ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
        remedy: "Put it there on the worker's host, or name another with sslrootcert.",
        side,
      },
      { cause: error },
    );
  }
}

/** Ends the session; where the server does not close its end, ours is closed. */
export async function close(client: Client): Promise<void> {
  const limit = setTimeout(() => socketOf(client).destroy(), CLOSE_LIMIT);
  await client.end().catch(() => undefined);
  clearTimeout(limit);
}

/** `undefined`: it has not ended, or nothing is known of why. */
export function reasonOfEnd(client: Client): Error | undefined {
  return endOf.get(client);
}

export function socketOf(client: Client): Socket {
  return (client as Client & { connection: { stream: Socket } }).connection.stream;
}
