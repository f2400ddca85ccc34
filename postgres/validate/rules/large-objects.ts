import { succeeded, warning, type DatabaseContext, type Rule } from '../rule';

export const largeObjects: Rule<DatabaseContext> = {
  id: 'large-objects',
  holds: 'The database has no large objects.',
  async check({ request, sourceClient }) {
    const { rows } = await sourceClient.query<{ count: string }>(
      'SELECT pg_catalog.count(*) AS count FROM pg_catalog.pg_largeobject_metadata',
    );
    const count = rows[0]?.count ?? '0';
    if (count === '0') return [];
    if (request.mode === 'Offline') return [succeeded(`Large objects to migrate: ${count}.`)];
    return [
      warning(
        `Changes of large objects are not replicated: ${count} of them are compared and brought over at the cutover, while the application waits.`,
        'Migrate offline if that takes too long.',
      ),
    ];
  },
};
