import { succeeded, type DatabaseContext, type Rule } from '../rule';

export const largeObjects: Rule<DatabaseContext> = {
  id: 'large-objects',
  holds: 'The database has no large objects.',
  async check({ sourceClient }) {
    const { rows } = await sourceClient.query<{ count: string }>(
      'SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_largeobject_metadata',
    );
    const count = rows[0]?.count ?? '0';
    return count === '0' ? [] : [succeeded(`Large objects to migrate: ${count}.`)];
  },
};
