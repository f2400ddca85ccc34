import type { Command } from 'commander';
import { UsageError } from '../exit-code';
import { collect } from '../options/collect';
import { addServerFlags, type MigrationFlags } from '../options/migration-flags';
import { cleanUpSource } from './cleanup-source';
import { addJsonFlag, examples, run, type CommonFlags } from './common';
import { onMigration } from './on-migration';
import { tidy } from './tidy';

export interface CleanupFlags
  extends
    CommonFlags,
    Pick<
      Partial<MigrationFlags>,
      'source' | 'sourcePasswordEnv' | 'sourcePasswordFile' | 'sourceSslMode' | 'sourceSslRootCert'
    > {
  database?: string[];
  force?: boolean;
  yes?: boolean;
}

export function addCleanup(program: Command): void {
  const command = program
    .command('cleanup')
    .argument('[name]')
    .description('take away all that migrations have left on a source, the fence too');
  addServerFlags(addJsonFlag(command), 'source')
    .option('--database <name>', 'only this one; repeatable (default: all)', collect)
    .option('--force', 'with --source: also what a migration that is at work needs')
    .option('-y, --yes', 'with --source: do not ask before it is taken away')
    .addHelpText(
      'after',
      examples(
        'flexlift cleanup shop',
        'flexlift cleanup shop --database crm',
        'flexlift cleanup --source postgres://dba@old-server/',
      ) +
        '\nWith a name: what that migration left, once it has ended, without a question; its fence, too, also after a\n' +
        'cutover: the old server then takes writes again. One that runs is canceled instead: flexlift cancel.\n' +
        'With --source: what any migration left on that server, told by its name alone; neither\n' +
        'Temporal nor a worker is needed. It is listed first. A migration that is paused, or whose workers are down,\n' +
        'cannot be told from one that is gone: see flexlift list.\n',
    )
    .action((name: string | undefined, flags: CleanupFlags, self: Command) => {
      if (name !== undefined && flags.source === undefined && flags.force !== true) {
        return onMigration(self, name, (handle, session) => tidy(handle, 'all', flags.database, session));
      }
      return run(self, async (output) => {
        if (name !== undefined) {
          throw new UsageError(
            `Give the name of a migration or --source, not both: flexlift cleanup ${name}, or flexlift cleanup --source <uri>.`,
          );
        }
        if (flags.source === undefined) {
          throw new UsageError(
            'Say what to clean up: flexlift cleanup <name>, or flexlift cleanup --source <uri>.',
          );
        }
        return await cleanUpSource(flags, output);
      });
    });
}
