import { warning, type Rule, type ServerContext } from '../rule';

/** Microsoft's advice for its own service, too: https://learn.microsoft.com/azure/postgresql/migrate/migration-service */
export const targetStandbys: Rule<ServerContext> = {
  id: 'target-standbys',
  holds: 'No server is seen that receives the WAL of the target.',
  check({ sizes: { target } }) {
    if (target.standbys === 0) return Promise.resolve([]);
    const servers = target.standbys === 1 ? 'another server' : `${target.standbys} other servers`;
    return Promise.resolve([
      warning(
        `The WAL of the target goes to ${servers}, by high availability or as read replicas: a synchronous one holds the copy up, and for one that falls behind the target keeps all WAL on its disk.`,
        'Turn on high availability and make read replicas after the migration, or watch the disk of the target meanwhile.',
      ),
    ]);
  },
};
