import type { Command } from 'commander';
import { Option } from 'commander';
import type { CancelRequest, FailureFields, MigrationHandle, MigrationStatus } from '../../client';
import { confirmDestruction } from '../confirm';
import { EXIT, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { follow } from '../live/follow';
import { failureLine } from '../output';
import type { Session } from '../session';
import { addJsonFlag, examples, type CommonFlags } from './common';
import { onMigration } from './on-migration';

interface CancelFlags extends CommonFlags {
  dropTarget?: boolean;
  keepTarget?: boolean;
  yes?: boolean;
}

export function addCancel(program: Command): void {
  addJsonFlag(
    program.command('cancel').argument('<name>').description('cancel a migration, clean up behind it'),
  )
    .addOption(new Option('--drop-target', 'drop the target databases it was making').conflicts('keepTarget'))
    .option('--keep-target', 'leave them as they are')
    .option('-y, --yes', 'do not ask before something is destroyed')
    .addHelpText('after', examples('flexlift cancel shop', 'flexlift cancel shop --drop-target --yes'))
    .action((name: string, flags: CancelFlags, self: Command) =>
      onMigration(self, name, async (handle, session) => {
        if (flags.dropTarget === true) {
          await confirmDestruction('--drop-target', 'drops the target databases', flags.yes);
        }
        return await cancel(handle, cancelRequest(flags), session);
      }),
    );
}

function cancelRequest({ dropTarget, keepTarget }: CancelFlags): CancelRequest {
  if (dropTarget === true) return { onCancel: 'drop-target' };
  return keepTarget === true ? { onCancel: 'keep-target' } : {};
}

async function cancel(handle: MigrationHandle, request: CancelRequest, session: Session): Promise<ExitCode> {
  const { output, signal } = session;
  const running = handle.run.how === 'running' ? (await handle.snapshot()).status : undefined;
  const made = running?.databases.flatMap(({ sourceObjects = [] }) => sourceObjects) ?? [];
  if (made.length > 0) output.say(`Taking away from the source: ${made.map(formatName).join(', ')}.`);
  const accepted = handle.run.how === 'running' && (await handle.cancel(request));
  const status = accepted ? await follow(handle, { output, signal }) : await handle.result();
  if (status === undefined) return EXIT.detached;
  if (output.json) output.data(JSON.stringify(status, null, 2));
  if (status.state === 'Canceled') {
    output.say(`Migration ${handle.name} is canceled.`);
    for (const { notice } of status.databases) {
      if (notice?.code === 'CleanUpNeeded') output.warn(failureLine(notice));
    }
    return EXIT.done;
  }
  if (status.state === 'NeedsCleanup') {
    for (const failure of cleanUpFailures(status)) output.error(failureLine(failure));
    output.say(`When the source can be reached: flexlift cleanup ${handle.name}.`);
    return EXIT.failed;
  }
  output.error(
    accepted
      ? `Migration ${handle.name} ended as ${status.state} before the cancellation took effect.`
      : `Migration ${handle.name} had ended already, as ${status.state}.`,
  );
  return EXIT.failed;
}

/** What stays on the source; each sentence once. */
function cleanUpFailures({ failure, databases }: MigrationStatus): FailureFields[] {
  const all = [failure, ...databases.flatMap((database) => [database.failure, database.notice])];
  const bySentence = new Map(
    all.flatMap((fields) => (fields === undefined ? [] : [[failureLine(fields), fields] as const])),
  );
  return [...bySentence.values()];
}
