import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteIdentifier, serverName, withConnection, type Endpoint } from '../../postgres/connect';
import { readSampleFile, type SampleFolder } from './sample-files';

/** A server as a superuser reaches it: extensions, large objects of several owners and roles are made. */
export interface SampleServer {
  host: string;
  port: number;
  user: string;
  password?: string;
}

export interface NamedSample {
  folder: SampleFolder;
  /** The database's name. */
  name: string;
}

/** `C` is the one locale that every platform has and every encoding goes with. */
const ENCODINGS: Record<SampleFolder, string> = { shop: 'UTF8', archive_latin1: 'LATIN1' };

const MAINTENANCE_DATABASE = 'postgres';

/** The sample is loaded into what will be a source; passwords come from the caller, who made the server. */
export function sampleEndpoint(server: SampleServer): Endpoint {
  return {
    side: 'source',
    address: {
      host: server.host,
      port: server.port,
      user: server.user,
      maintenanceDatabase: MAINTENANCE_DATABASE,
      password: { kind: 'none' },
      sslMode: 'disable',
    },
    resolvePassword: () => Promise.resolve(server.password),
    applicationName: 'flexlift sample',
    connectTimeout: 10_000,
  };
}

/** A session that may write: our sessions on a source are read-only unless they say otherwise. */
export async function withWritableSession<T>(
  endpoint: Endpoint,
  database: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return await withConnection(endpoint, database, signal, async (client) => {
    await client.query('SET default_transaction_read_only = off');
    return await work(client);
  });
}

/** Makes the sample's roles where they are missing; a target needs them before the sample can be migrated to it. */
export async function createSampleRoles(options: {
  address: SampleServer;
  signal?: AbortSignal;
}): Promise<void> {
  const { address, signal = new AbortController().signal } = options;
  const sql = await readSampleFile('roles.sql');
  await withWritableSession(sampleEndpoint(address), MAINTENANCE_DATABASE, signal, (client) =>
    client.query(sql),
  );
}

/** @returns the server's major version. */
export async function prepareServer(
  endpoint: Endpoint,
  samples: NamedSample[],
  replace: boolean,
  signal: AbortSignal,
): Promise<number> {
  return await withWritableSession(endpoint, MAINTENANCE_DATABASE, signal, async (client) => {
    const names = samples.map((sample) => sample.name);
    if (replace) await dropAll(client, names);
    await refuseExisting(client, names, endpoint);
    const { rows } = await client.query<{ major: number }>(
      `SELECT pg_catalog.current_setting('server_version_num')::integer / 10000 AS major`,
    );
    return rows[0]?.major ?? 0;
  });
}

export async function createDatabase(
  endpoint: Endpoint,
  sample: NamedSample,
  major: number,
  signal: AbortSignal,
): Promise<void> {
  const provider = major >= 15 ? 'LOCALE_PROVIDER libc' : '';
  await withWritableSession(endpoint, MAINTENANCE_DATABASE, signal, (client) =>
    client.query(
      `CREATE DATABASE ${quoteIdentifier(sample.name)} OWNER shop_owner TEMPLATE template0
         ENCODING '${ENCODINGS[sample.folder]}' LC_COLLATE 'C' LC_CTYPE 'C' ${provider}`,
    ),
  );
}

export async function dropDatabases(endpoint: Endpoint, names: string[], signal: AbortSignal): Promise<void> {
  if (names.length === 0) return;
  await withWritableSession(endpoint, MAINTENANCE_DATABASE, signal, (client) => dropAll(client, names));
}

async function dropAll(client: Client, names: string[]): Promise<void> {
  await client.query(
    'SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = ANY ($1)',
    [names],
  );
  for (const name of names) await client.query(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`);
}

async function refuseExisting(client: Client, names: string[], endpoint: Endpoint): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    'SELECT datname FROM pg_catalog.pg_database WHERE datname = ANY ($1) ORDER BY datname',
    [names],
  );
  const taken = rows[0]?.datname;
  if (taken === undefined) return;
  throw new FlexliftError({
    code: 'TargetNotEmpty',
    sentence: 'A database of the name that the sample needs exists.',
    remedy: 'Drop it, choose a prefix for the names, or let the sample replace it.',
    side: endpoint.side,
    server: serverName(endpoint.address),
    database: taken,
  });
}
