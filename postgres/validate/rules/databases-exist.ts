import type { MigrationMode } from '../../../contract';
import { enumerate, failed, succeeded, warning, type Rule, type ServerContext, type Verdict } from '../rule';

/**
 * Temporal gives a workflow 10,000 signals and 51,200 events: offline a database tells its migration of up to 16 phases, online
 * of some 25 and of each cutover that is called off, and each that begins changes the others' share of the source.
 * https://docs.temporal.io/workflow-execution/limits
 */
export const MOST_DATABASES: Record<MigrationMode, number> = { Offline: 500, Online: 100 };

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
    const most = MOST_DATABASES[request.mode];
    if (databases.length > most) {
      return Promise.resolve([
        failed(
          `One ${request.mode.toLowerCase()} migration takes ${most} databases at most, and this one would have ${databases.length}.`,
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
