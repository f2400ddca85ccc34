import Table from 'cli-table3';
import type { Command } from 'commander';
import type { MigrationSummary } from '../../client';
import { EXIT } from '../exit-code';
import { BARE } from '../report/report-text';
import { withSession } from '../session';
import { addJsonFlag, examples, run } from './common';

export function addList(program: Command): void {
  addJsonFlag(program.command('list').description('list the migrations, newest first'))
    .addHelpText('after', examples('flexlift list', "flexlift list --json | jq -r '.migrations[].name'"))
    .action((_flags: unknown, self: Command) =>
      run(self, (output) =>
        withSession(output, async ({ client }) => {
          const migrations = await client.list();
          if (output.json) output.data(JSON.stringify({ version: 1, migrations }, null, 2));
          else if (migrations.length > 0) output.data(listText(migrations));
          else output.say('There is no migration yet. Start one: flexlift migrate --help.');
          return EXIT.done;
        }),
      ),
    );
}

function listText(migrations: MigrationSummary[]): string {
  const table = new Table({
    head: ['Name', 'State', 'Source', 'Target', 'Started', 'Ended'],
    style: { head: [], border: [], compact: true },
    chars: BARE,
  });
  for (const { name, state, source, target, startedAt, endedAt } of migrations) {
    table.push([
      name,
      state,
      source,
      target,
      minute(startedAt),
      endedAt === undefined ? '' : minute(endedAt),
    ]);
  }
  return table.toString();
}

/** `2026-01-31T10:20Z`. */
function minute(instant: string): string {
  return instant.replace(/:\d\d(?:\.\d+)?Z$/, 'Z');
}
