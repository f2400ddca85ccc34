import type { Command } from 'commander';
import { addJsonFlag, examples } from './common';
import { followToEnd } from './follow-to-end';
import { onMigration } from './on-migration';

export function addWatch(program: Command): void {
  addJsonFlag(
    program.command('watch').argument('<name>').description('follow a migration to its end, then report'),
  )
    .addHelpText('after', examples('flexlift watch shop') + '\nEnds with the exit code of the migration.\n')
    .action((name: string, _flags: unknown, self: Command) => onMigration(self, name, followToEnd));
}
