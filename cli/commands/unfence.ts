import type { Command } from 'commander';
import { collect } from '../options/collect';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';
import { tidy } from './tidy';

interface UnfenceFlags extends CommonFlags {
  database?: string[];
}

export function addUnfence(program: Command): void {
  addJsonFlag(
    program
      .command('unfence')
      .argument('<name>')
      .description(
        'let the old server take writes again, after its databases were cut over or the migration has ended',
      ),
  )
    .option('--database <name>', 'only this one; repeatable (default: all of the migration)', collect)
    .addHelpText(
      'after',
      examples('flexlift unfence shop') +
        '\nIt does not ask. What is written there afterwards does not reach the target.\n' +
        'A cutover under way is called off instead, which lifts its fence: flexlift cutover shop --abort.\n',
    )
    .action((name: string, { database }: UnfenceFlags, self: Command) =>
      onMigration(self, name, (handle, session) => tidy(handle, 'fence', database, session)),
    );
}
