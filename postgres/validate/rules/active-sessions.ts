import { enumerate, warning, type DatabaseContext, type Rule } from '../rule';

export const activeSessions: Rule<DatabaseContext> = {
  id: 'active-writers',
  mode: 'Offline',
  holds: 'No application is connected to the database on the source.',
  async check({ sourceClient }) {
    // parallel workers have their leader's name and are few: counting them is no harm
    const { rows } = await sourceClient.query<{ name: string; sessions: number }>(
      `SELECT COALESCE(usename::text, 'unknown') || ' (' || application_name || ')' AS name,
              pg_catalog.count(*)::integer AS sessions
         FROM pg_catalog.pg_stat_activity
        WHERE datname = pg_catalog.current_database() AND usesysid IS NOT NULL
          AND NOT pg_catalog.starts_with(application_name, 'flexlift')
        GROUP BY 1 ORDER BY 2 DESC, 1`,
    );
    const total = rows.reduce((sum, row) => sum + row.sessions, 0);
    if (total === 0) return [];
    return [
      warning(
        `Sessions of others in the database on the source: ${total}, of ${enumerate(rows.map((row) => row.name))}.`,
        'Stop the application before an offline migration: what it writes after the snapshot is not migrated.',
      ),
    ];
  },
};
