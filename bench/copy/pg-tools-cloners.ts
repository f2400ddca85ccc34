import { join } from 'node:path';
import { uriOf } from '../support/sessions';
import { DATABASE, type Cloner, type CloneRun } from './cloner';
import { shell } from './shell';

/** `pg_dump -Fd` with several jobs, then `pg_restore` with several jobs, then ANALYZE. */
export class DumpRestoreCloner implements Cloner {
  readonly kind = 'peer';
  readonly name = 'pg_dump -Fd | pg_restore';

  async clone({ servers, jobs, directory, signal }: CloneRun): Promise<void> {
    const [source, target] = [uriOf(servers.source, DATABASE), uriOf(servers.target, DATABASE)];
    const dump = join(directory, 'dump');
    await shell(`pg_dump -Fd -Z0 -j ${jobs} -f '${dump}' '${source}'`, signal);
    await shell(`pg_restore -j ${jobs} -d '${target}' '${dump}'`, signal);
    await shell(analyze(target, jobs), signal);
  }
}

/** `pg_dump | psql`, then ANALYZE. */
export class PipeCloner implements Cloner {
  readonly kind = 'peer';
  readonly name = 'pg_dump | psql';

  async clone({ servers, jobs, signal }: CloneRun): Promise<void> {
    const [source, target] = [uriOf(servers.source, DATABASE), uriOf(servers.target, DATABASE)];
    await shell(`pg_dump '${source}' | psql -q -v ON_ERROR_STOP=1 '${target}'`, signal);
    await shell(analyze(target, jobs), signal);
  }
}

export function analyze(target: string, jobs: number): string {
  return `vacuumdb -q -Z -j ${jobs} -d '${target}'`;
}
