import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { uriOf, withSession } from '../support/sessions';
import { DATABASE, type Cloner, type CloneRun } from './cloner';
import { analyze } from './pg-tools-cloners';
import { shell } from './shell';

/**
 * What no tool of this kind gets below: the rows of each table through a pipe, binary and frozen, several tables at a
 * time, the largest first; then all indexes and constraints, several at a time; then ANALYZE. It checks nothing and can
 * be repeated by nobody.
 */
export class FloorCloner implements Cloner {
  readonly kind = 'floor';
  readonly name = 'floor: psql | psql';

  async clone({ servers, jobs, directory, signal }: CloneRun): Promise<void> {
    const [source, target] = [uriOf(servers.source, DATABASE), uriOf(servers.target, DATABASE)];
    const schema = join(directory, 'schema.dump');
    await shell(`pg_dump -Fc --schema-only -f '${schema}' '${source}'`, signal);
    await shell(`pg_restore --section=pre-data -d '${target}' '${schema}'`, signal);
    const tables = await withSession(servers.source, DATABASE, async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `SELECT format('%I.%I', n.nspname, c.relname) AS name
           FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'r' AND n.nspname = 'public' ORDER BY pg_table_size(c.oid) DESC`,
      );
      return rows.map(({ name }) => name);
    });
    const commands = join(directory, 'copies.sh');
    writeFileSync(commands, tables.map((table) => pipe(table, source, target)).join('\0'));
    await shell(`xargs -0 -P ${jobs} -n 1 bash -o pipefail -ec < '${commands}'`, signal);
    await shell(`pg_restore --section=post-data -j ${jobs} -d '${target}' '${schema}'`, signal);
    await shell(analyze(target, jobs), signal);
  }
}

function pipe(table: string, source: string, target: string): string {
  const out = `psql -q '${source}' -c 'COPY ${table} TO STDOUT (FORMAT binary)'`;
  return `${out} | psql -q -1 '${target}' -c 'TRUNCATE ${table}' -c 'COPY ${table} FROM STDIN (FORMAT binary, FREEZE)'`;
}
