import { eventually } from './eventually';
import { withSession, type Major } from './servers';

/** Waits until a session of that activity is seen on the server; asked often, for some last a few milliseconds. */
export async function untilActive(major: Major, migrationId: string, activity: string): Promise<void> {
  await withSession(major, 'postgres', (client) =>
    eventually(
      `a session of ${activity}`,
      async () => {
        const { rowCount } = await client.query(
          'SELECT FROM pg_stat_activity WHERE application_name LIKE $1',
          [`flexlift:${migrationId}:${activity}:%`],
        );
        return rowCount !== 0;
      },
      { interval: 3 },
    ),
  );
}
