import type { Command } from 'commander';
import { EXIT } from '../exit-code';
import { collect } from '../options/collect';
import { acceptDrift } from './accept-drift';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';
import { reportReplication } from './replication-outcome';

interface ResumeFlags extends CommonFlags {
  database?: string[];
  acceptDrift?: boolean;
}

export function addResume(program: Command): void {
  addJsonFlag(
    program
      .command('resume')
      .argument('<name>')
      .description('apply changes again, after a pause or a failure that has been mended'),
  )
    .option('--database <name>', 'only this one; repeatable (default: all that go on)', collect)
    .option('--accept-drift', 'the schema was changed on both sides alike: go on with that')
    .addHelpText(
      'after',
      examples('flexlift resume shop', 'flexlift resume shop --database crm --accept-drift'),
    )
    .action((name: string, { database: databases, acceptDrift: accepts }: ResumeFlags, self: Command) =>
      onMigration(self, name, async (handle, session) => {
        if (accepts === true) await acceptDrift(handle, databases, session.signal);
        if (session.signal.aborted) return EXIT.detached;
        return await reportReplication(handle, await handle.resume({ databases }), databases, session);
      }),
    );
}
