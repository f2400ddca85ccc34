import type { Command } from 'commander';
import { addMigrationFlags, type MigrationFlags } from '../options/migration-flags';
import { withSession } from '../session';
import { followToCutover, followToEnd } from './follow-to-end';
import { optionsFromFlags, startMigration } from './start';
import { addJsonFlag, examples, run, type CommonFlags } from './common';

export function addMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('migrate a server, show the progress, prove and report');
  addJsonFlag(addMigrationFlags(command))
    .addHelpText(
      'after',
      examples(
        'flexlift migrate --source postgres://me@old:5432/ --target postgres://me@new:5432/',
        'flexlift migrate --source … --target … --database shop --database crm --no-owner',
        'flexlift migrate --source … --target … --mode online --name shop',
        'FLEXLIFT_SOURCE=postgres://… FLEXLIFT_TARGET=postgres://… flexlift migrate --json > report.json',
      ) +
        '\nThe same command again goes on with the same migration, whatever died meanwhile. Ctrl-C only detaches.\n' +
        'An online one is left with 0 when it is ready for its cutover: flexlift cutover. With --validate-only 0 says that\n' +
        'nothing stands in the way.\n' +
        'Exit codes: 0 done and equal, 1 failed, 2 usage, 3 validation failed, 4 difference found,\n' +
        '5 no Temporal or no worker, 6 done and not compared, 130 detached.\n',
    )
    .action((flags: MigrationFlags & CommonFlags, self: Command) =>
      run(self, async (output) => {
        const options = await optionsFromFlags(flags, output);
        return await withSession(output, async (session) => {
          const handle = await startMigration(options, session);
          return await (options.mode === 'Online' ? followToCutover : followToEnd)(handle, session);
        });
      }),
    );
}
