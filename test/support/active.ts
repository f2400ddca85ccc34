import type { Client } from 'pg';
import { eventually } from './eventually';
import { withSession, type Major } from './servers';

/** How many sessions of the client's server have an application name like this. */
export async function countSessions(client: Client, pattern: string): Promise<number> {
  const { rowCount } = await client.query('SELECT FROM pg_stat_activity WHERE application_name LIKE $1', [
    pattern,
  ]);
  return rowCount ?? 0;
}

export async function countSessionsOn(major: Major, pattern: string): Promise<number> {
  return await withSession(major, 'postgres', (client) => countSessions(client, pattern));
}

/** Waits until a session of that activity is seen on the server; asked often, for some last a few milliseconds. */
export async function untilActive(major: Major, migrationId: string, activity: string): Promise<void> {
  const pattern = `flexlift:${migrationId}:${activity}:%`;
  await withSession(major, 'postgres', (client) =>
    eventually(`a session of ${activity}`, async () => (await countSessions(client, pattern)) > 0, {
      interval: 3,
    }),
  );
}
