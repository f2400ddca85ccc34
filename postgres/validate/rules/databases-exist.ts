import { enumerate, failed, succeeded, warning, type Rule, type ServerContext } from '../rule';

export const databasesExist: Rule<ServerContext> = {
  id: 'databases-exist',
  holds: 'All chosen databases exist on the source.',
  check({ databases, missing }) {
    if (missing.length > 0) {
      const names = enumerate(missing.map((name) => JSON.stringify(name)));
      return Promise.resolve([
        failed(
          `Not on the source, or taking no connections: ${names}.`,
          'Correct the name; it is spelt exactly as in pg_database, capitals included.',
        ),
      ]);
    }
    if (databases.length === 0) {
      return Promise.resolve([
        warning(
          'The source has no user databases.',
          'Check the address of the source, or choose with --database.',
        ),
      ]);
    }
    return Promise.resolve([succeeded(`Databases to migrate: ${databases.length}.`)]);
  },
};
