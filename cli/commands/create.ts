import type { Command } from 'commander';
import { webUiPage } from '../engine';
import { EXIT } from '../exit-code';
import { addMigrationFlags, type MigrationFlags } from '../options/migration-flags';
import { withSession } from '../session';
import { addJsonFlag, examples, run, type CommonFlags } from './common';
import { optionsFromFlags, startMigration } from './start';

export function addCreate(program: Command): void {
  const command = program.command('create').description('start a migration and return; prints its name');
  addJsonFlag(addMigrationFlags(command))
    .addHelpText(
      'after',
      examples(
        'flexlift create --source postgres://me@old/ --target postgres://me@new/ --name shop',
        'flexlift watch "$(flexlift create --source … --target …)"',
      ),
    )
    .action((flags: MigrationFlags & CommonFlags, self: Command) =>
      run(self, async (output) => {
        const options = await optionsFromFlags(flags, output);
        return await withSession(output, async (session) => {
          const { name, workflowId, runId, how } = (await startMigration(options, session)).run;
          const webUi = webUiPage(session.engine, workflowId);
          output.data(
            output.json ? JSON.stringify({ version: 1, name, workflowId, runId, how, webUi }) : name,
          );
          return EXIT.done;
        });
      }),
    );
}
