import { enumerate, failed, succeeded, warning, type Rule, type ServerContext, type Verdict } from '../rule';

/**
 * Temporal ends a workflow whose history has 51,200 events, and each database is up to a hundred of its migration's: what it
 * tells, and its orders. https://docs.temporal.io/workflow-execution/limits
 */
const MOST_DATABASES = 500;

export const databasesExist: Rule<ServerContext> = {
  id: 'databases-exist',
  holds: 'All chosen databases exist on the source.',
  check({ request, databases, missing, closed, released }) {
    if (missing.length > 0) {
      return Promise.resolve([
        failed(
          `Not on the source, or taking no connections: ${quoted(missing)}.`,
          'Correct the name; it is spelt exactly as in pg_database, capitals included.',
        ),
      ]);
    }
    if (databases.length > MOST_DATABASES) {
      return Promise.resolve([
        failed(
          `One migration takes ${MOST_DATABASES} databases at most, and this one would have ${databases.length}.`,
          'Choose as many with --database, and the others in migrations of other names.',
        ),
      ]);
    }
    const verdicts: Verdict[] = [];
    if (databases.length > 0) verdicts.push(succeeded(`Databases to migrate: ${databases.length}.`));
    else if (released.length === 0) {
      const verdict = request.option === 'Validate' ? warning : failed;
      verdicts.push(
        verdict(
          'The source has no user databases.',
          'Check the address of the source, or choose with --database.',
        ),
      );
    }
    if (closed.length > 0) {
      verdicts.push(
        warning(
          `Left out, for they take no connections or are templates: ${quoted(closed)}.`,
          'To migrate one, name it with --database; it must take connections (ALTER DATABASE … ALLOW_CONNECTIONS true).',
        ),
      );
    }
    return Promise.resolve(verdicts);
  },
};

function quoted(names: string[]): string {
  return enumerate(names.map((name) => JSON.stringify(name)));
}
