import { warning, type Rule, type ServerContext } from '../rule';

/** Microsoft's advice for its own service, too: https://learn.microsoft.com/azure/postgresql/migrate/migration-service */
export const targetStandbys: Rule<ServerContext> = {
  id: 'target-standbys',
  holds: 'Nobody has to receive what is written to the target.',
  check({ sizes: { target } }) {
    if (target.standbys === 0) return Promise.resolve([]);
    const servers = target.standbys === 1 ? 'a standby' : `${target.standbys} standbys`;
    return Promise.resolve([
      warning(
        `The target has ${servers}, by high availability or as read replicas: what is copied is sent there and replayed by one process, which holds it up.`,
        'Turn off high availability and read replicas of the target until the migration has ended.',
      ),
    ]);
  },
};
