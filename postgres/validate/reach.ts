import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError, type MigrationTimeouts } from '../../contract';
import { serverVersion } from '../catalog';
import { withConnection, type Endpoint } from '../connect';
import type { ServerSide, ServerUser } from './rule';

/**
 * Opens a read-only session on a server's maintenance database for `work`. What passes by itself (a restart, no
 * free connection) is tried again, for half of the time that validation has.
 *
 * @throws FlexliftError of the last try
 */
export async function withServer<T>(
  endpoint: Endpoint,
  timeouts: MigrationTimeouts,
  signal: AbortSignal,
  work: (side: ServerSide) => Promise<T>,
): Promise<T> {
  const { maintenanceDatabase } = endpoint.address;
  await waitUntilReachable(endpoint, timeouts, signal);
  return await withConnection(endpoint, maintenanceDatabase, signal, async (client) => {
    await forbidWrites(client);
    return await work({
      endpoint,
      client,
      version: await serverVersion(client),
      user: await readUser(client),
    });
  });
}

async function waitUntilReachable(
  endpoint: Endpoint,
  timeouts: MigrationTimeouts,
  signal: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + timeouts.validation / 2;
  for (let pause = timeouts.retryInitial; ; pause *= 2) {
    const connectTimeout = Math.min(endpoint.connectTimeout, Math.max(deadline - Date.now(), 100));
    const limited = { ...endpoint, connectTimeout };
    try {
      await withConnection(limited, endpoint.address.maintenanceDatabase, signal, () => Promise.resolve());
      return;
    } catch (error) {
      if (!(error instanceof FlexliftError) || error.failureClass !== 'transient') throw error;
      if (Date.now() + pause >= deadline) throw error;
      await sleep(pause, undefined, { signal });
    }
  }
}

/** Whatever a rule might do by mistake, the server refuses it. */
export async function forbidWrites(client: Client): Promise<void> {
  await client.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
}

async function readUser(client: Client): Promise<ServerUser> {
  const { rows } = await client.query<{ name: string; superuser: boolean; create: boolean }>(
    `SELECT rolname AS name, rolsuper AS superuser, rolsuper OR rolcreatedb AS create
       FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  );
  const { name, superuser, create } = rows[0] ?? { name: 'unknown', superuser: false, create: false };
  return { name, superuser, createDatabase: create };
}
