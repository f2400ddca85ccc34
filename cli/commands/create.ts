import type { Command } from 'commander';
import { webUiPage } from '../engine';
import { EXIT } from '../exit-code';
import { addMigrationFlags, type MigrationFlags } from '../options/migration-flags';
import { withSession } from '../session';
import { addJsonFlag, examples, run, type CommonFlags } from './common';
import { startFromFlags } from './start';

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
      run(self, (output) =>
        withSession(output, async (session) => {
          const { name, workflowId, runId, how } = (await startFromFlags(flags, session)).run;
          const webUi = webUiPage(session.engine, workflowId);
          output.data(
            output.json ? JSON.stringify({ version: 1, name, workflowId, runId, how, webUi }) : name,
          );
          return EXIT.done;
        }),
      ),
    );
}
