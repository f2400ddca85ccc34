import { readFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { Client, DatabaseError, type ClientConfig } from 'pg';
import { FlexliftError, type FailurePlace, type SslMode } from '../../contract';
import { serverName, type Endpoint } from './endpoint';
import { mapPostgresError, rememberPlace } from './map-error';
import { applySessionSettings } from './session-settings';

export interface ConnectionKind {
  /** A walsender's session in this database: it takes replication commands, and SQL by the simple protocol alone. */
  replication?: boolean;
}

/** Why the server ended a session. */
const endOf = new WeakMap<Client, DatabaseError>();

/**
 * The one way to get a connection: opens it, sets every session setting that the work depends on, hands it to `work`
 * and closes it whatever happens. When `signal` fires, the running statement is cancelled on the server and the
 * connection closed, so that `work` fails at once.
 *
 * @throws FlexliftError for all that the server or the network throws, with side, server and database.
 */
export async function withConnection<T>(
  endpoint: Endpoint,
  database: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
  kind: ConnectionKind = {},
): Promise<T> {
  const place = { side: endpoint.side, server: serverName(endpoint.address), database };
  signal.throwIfAborted();
  let client: Client | undefined;
  const stop = () => {
    if (client !== undefined) void cancelAndClose(endpoint, database, client);
  };
  try {
    client = await open(endpoint, database, kind);
    rememberPlaces(client, place);
    signal.addEventListener('abort', stop, { once: true });
    signal.throwIfAborted();
    await applySessionSettings(client, endpoint.side);
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw mapPostgresError(reasonOf(error, client), place);
  } finally {
    signal.removeEventListener('abort', stop);
    await client?.end().catch(() => undefined);
  }
}

/** Opens a bare connection without our session settings; the caller ends it. For tests and special sessions. */
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
    ssl: await tlsOptions(sslMode, address.sslRootCert, address.host),
    ...(replication ? { replication: 'database' } : {}),
  };
  const client = new Client(config);
  // an idle session's end arrives as an event; the next query on it fails, but no longer says why
  client.on('error', (error) => {
    if (error instanceof DatabaseError) endOf.set(client, error);
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
async function tlsOptions(
  sslMode: SslMode,
  rootCert: string | undefined,
  host: string,
): Promise<ConnectionOptions | false> {
  if (sslMode === 'disable' || host.startsWith('/')) return false;
  if (sslMode === 'require' || sslMode === 'prefer') return { rejectUnauthorized: false };
  const ca = rootCert === undefined ? undefined : await readFile(rootCert, 'utf8');
  if (sslMode === 'verify-full') return { rejectUnauthorized: true, ca };
  return { rejectUnauthorized: true, ca, checkServerIdentity: () => undefined };
}

/**
 * A closed socket alone does not stop a statement that sends nothing (an index build): the server is asked to cancel
 * it from a second session first.
 */
async function cancelAndClose(endpoint: Endpoint, database: string, client: Client): Promise<void> {
  const pid = (client as Client & { processID?: number }).processID;
  try {
    const second = await open(endpoint, database);
    await second.query('SELECT pg_catalog.pg_cancel_backend($1)', [pid]).finally(() => second.end());
  } catch {
    // the server is gone or refuses: closing the socket is all that is left to do
  } finally {
    socketOf(client).destroy();
  }
}

/** What broke on an ended session says less than its end. */
function reasonOf(error: unknown, client: Client | undefined): unknown {
  if (client === undefined || error instanceof FlexliftError) return error;
  return endOf.get(client) ?? error;
}

function rememberPlaces(client: Client, place: FailurePlace): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const result = query(...args);
    if (result instanceof Promise) result.catch((error: unknown) => rememberPlace(error, place));
    return result;
  }) as Client['query'];
}

export function socketOf(client: Client): Socket {
  return (client as Client & { connection: { stream: Socket } }).connection.stream;
}
