import type { Command } from 'commander';
import { confirmDestruction } from '../confirm';
import { EXIT } from '../exit-code';
import { formatName } from '../format';
import { unlessInterrupted } from '../session';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';

interface RecopyFlags extends CommonFlags {
  database?: string;
  table?: string;
  yes?: boolean;
}

export function addRecopy(program: Command): void {
  addJsonFlag(
    program
      .command('recopy')
      .argument('<name>')
      .description('copy a table anew while the others go on, or all tables, with a new slot'),
  )
    .option(
      '--database <name>',
      'where it is; needed with --table where the migration has several (default: all)',
    )
    .option('--table <name>', 'as in SQL: orders, sales.orders, \'"Sales"."Order lines"\' (default: all)')
    .option('-y, --yes', 'do not ask before all tables are copied anew')
    .addHelpText(
      'after',
      examples('flexlift recopy shop --table sales.orders', 'flexlift recopy shop --database crm --yes'),
    )
    .action((name: string, { database, table, yes }: RecopyFlags, self: Command) =>
      onMigration(self, name, async (handle, { output, signal }) => {
        if (table === undefined) {
          const where = database === undefined ? name : formatName(database);
          await confirmDestruction(
            'recopy',
            `empties all tables of ${where} on the target and copies them anew`,
            yes,
          );
        }
        if (signal.aborted) return EXIT.detached;
        const accepted = await handle.recopy({ database, table });
        const status = await unlessInterrupted(signal, accepted.result({ signal }));
        if (status === undefined) return EXIT.detached;
        if (output.json) output.data(JSON.stringify(status, null, 2));
        output.say(
          `The new copy of ${table === undefined ? 'all tables' : `table ${formatName(table)}`} has begun. ` +
            `Watch it: flexlift watch ${handle.name}.`,
        );
        return EXIT.done;
      }),
    );
}
