import type { Command } from 'commander';
import { collect } from '../options/collect';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';
import { tidy } from './tidy';

interface CleanupFlags extends CommonFlags {
  database?: string[];
}

export function addCleanup(program: Command): void {
  addJsonFlag(
    program
      .command('cleanup')
      .argument('<name>')
      .description('take away all that an ended migration has left on its source, the fence too'),
  )
    .option('--database <name>', 'only this one; repeatable (default: all of the migration)', collect)
    .addHelpText(
      'after',
      examples('flexlift cleanup shop', 'flexlift cleanup shop --database crm') +
        '\nIt is needed where a migration ended as NeedsCleanup; one that runs is canceled instead: flexlift cancel.\n',
    )
    .action((name: string, { database }: CleanupFlags, self: Command) =>
      onMigration(self, name, (handle, session) => tidy(handle, 'all', database, session)),
    );
}
