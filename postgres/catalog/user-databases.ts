import type { Client } from 'pg';
import { withConnection, type Endpoint } from '../connect';
import { STAGING_PATTERN } from './staging-database';
import { isEmptyDatabase } from './user-objects';

/** Databases of a provider's own, which hold nothing of a user's. */
const PROVIDER_DATABASES = ['azure_maintenance', 'azure_sys', 'rdsadmin', 'cloudsqladmin', 'alloydbadmin'];

/**
 * The databases to migrate when nobody chose: all that take connections, but templates, those of a provider and
 * what another migration is just making. `postgres` only where it holds something of a user's.
 *
 * @returns names in the server's byte order.
 */
export async function listUserDatabases(endpoint: Endpoint, signal: AbortSignal): Promise<string[]> {
  const names = await withConnection(endpoint, endpoint.address.maintenanceDatabase, signal, databaseNames);
  if (!names.includes('postgres')) return names;
  const empty = await withConnection(endpoint, 'postgres', signal, isEmptyDatabase);
  return empty ? names.filter((name) => name !== 'postgres') : names;
}

/**
 * What {@link listUserDatabases} leaves out though a user may have data there: databases that take no connections, or are
 * templates. In the server's byte order.
 */
export async function closedDatabases(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname
       FROM pg_catalog.pg_database
      WHERE (datistemplate OR NOT datallowconn) AND datconnlimit <> -2
        AND datname NOT IN ('template0', 'template1') AND datname <> ALL ($1) AND datname !~ $2
      ORDER BY datname::text COLLATE "C"`,
    [PROVIDER_DATABASES, STAGING_PATTERN],
  );
  return rows.map((row) => row.datname);
}

/** All that take connections and are no provider's own, in the server's byte order. */
export async function databaseNames(client: Client): Promise<string[]> {
  // a connection limit of -2 marks a database whose DROP was interrupted
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname
       FROM pg_catalog.pg_database
      WHERE datallowconn AND NOT datistemplate AND datconnlimit <> -2
        AND datname <> ALL ($1) AND datname !~ $2
      ORDER BY datname::text COLLATE "C"`,
    [PROVIDER_DATABASES, STAGING_PATTERN],
  );
  return rows.map((row) => row.datname);
}
