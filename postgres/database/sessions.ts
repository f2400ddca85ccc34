import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { migrationPrefix, serverName, withConnection, type Endpoint } from '../connect';

interface MigrationSession {
  pid: number;
  /** Absent for a session without a database. */
  database?: string;
  applicationName: string;
}

interface OneServer {
  endpoint: Endpoint;
  migrationId: string;
  /** Only the sessions in this database. */
  database?: string;
  signal: AbortSignal;
}

const END_ATTEMPTS = 50;

/**
 * Ends the sessions of one migration on a server, whatever worker they belong to, and waits until they are gone: with
 * them go their snapshots, locks and temporary objects.
 *
 * @returns how many were ended.
 * @throws FlexliftError Contention where one did not end within five seconds
 */
export async function endSessions(args: OneServer): Promise<number> {
  const { endpoint, migrationId, signal } = args;
  return await withConnection(endpoint, endpoint.address.maintenanceDatabase, signal, async (client) => {
    const ended = new Set<number>();
    for (let attempt = 1; attempt <= END_ATTEMPTS; attempt++) {
      const sessions = await readSessions(client, args);
      if (sessions.length === 0) return ended.size;
      for (const { pid } of sessions) {
        await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]);
        ended.add(pid);
      }
      await sleep(100, undefined, { signal });
    }
    throw new FlexliftError({
      code: 'Contention',
      sentence: `Sessions of migration ${migrationId} did not end when told to.`,
      remedy: 'Nothing to do: it is tried again; find them in pg_stat_activity by their application_name.',
      side: endpoint.side,
      server: serverName(endpoint.address),
    });
  });
}

async function readSessions(
  client: Client,
  { migrationId, database }: OneServer,
): Promise<MigrationSession[]> {
  const { rows } = await client.query<{ pid: number; datname: string | null; application_name: string }>(
    `SELECT pid, datname, application_name
       FROM pg_catalog.pg_stat_activity
      WHERE pg_catalog.starts_with(application_name, $1) AND pid <> pg_catalog.pg_backend_pid()
        AND ($2::text IS NULL OR datname = $2)
      ORDER BY pid`,
    [migrationPrefix(migrationId), database ?? null],
  );
  return rows.map(({ pid, datname, application_name }) => ({
    pid,
    ...(datname === null ? {} : { database: datname }),
    applicationName: application_name,
  }));
}
