import type { Command } from 'commander';
import { collect } from '../options/collect';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';
import { reportReplication } from './replication-outcome';

interface PauseFlags extends CommonFlags {
  database?: string[];
}

export function addPause(program: Command): void {
  addJsonFlag(
    program
      .command('pause')
      .argument('<name>')
      .description('apply no more changes for a while; the source keeps them'),
  )
    .option('--database <name>', 'only this one; repeatable (default: all that go on)', collect)
    .addHelpText(
      'after',
      examples('flexlift pause shop', 'flexlift pause shop --database crm') +
        '\nThe source keeps its WAL meanwhile: flexlift show says how much, and how much it may keep.\n',
    )
    .action((name: string, { database: databases }: PauseFlags, self: Command) =>
      onMigration(self, name, async (handle, session) =>
        reportReplication(handle, await handle.pause({ databases }), databases, session),
      ),
    );
}
