import { join } from 'node:path';
import { uriOf } from '../support/sessions';
import { DATABASE, type Cloner, type CloneRun } from './cloner';
import { shell } from './shell';

/** Whichever of its flags are the fastest here; ANALYZE by its own vacuum of each table. */
export class PgcopydbCloner implements Cloner {
  readonly kind = 'peer';

  constructor(
    private readonly path: string,
    readonly name: string,
    private readonly flags: string,
  ) {}

  async clone({ servers, jobs, directory, signal }: CloneRun): Promise<void> {
    const where =
      `--source '${uriOf(servers.source, DATABASE)}' --target '${uriOf(servers.target, DATABASE)}'` +
      ` --dir '${join(directory, 'pgcopydb')}'`;
    const at = `--table-jobs ${jobs} --index-jobs ${jobs} --restore-jobs ${jobs}`;
    await shell(`'${this.path}' clone ${where} ${at} ${this.flags} >&2`, signal);
  }
}
