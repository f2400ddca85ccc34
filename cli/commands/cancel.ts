import type { Command } from 'commander';
import { Option } from 'commander';
import type { CancelRequest, MigrationHandle } from '../../client';
import { confirmDestruction } from '../confirm';
import { ensureWorker } from '../engine';
import { EXIT, type ExitCode } from '../exit-code';
import { follow } from '../live/follow';
import { withSession, type Session } from '../session';
import { addJsonFlag, examples, run, type CommonFlags } from './common';

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
      run(self, (output) =>
        withSession(output, async (session) => {
          const { engine, client, signal } = session;
          const handle = await client.find(name);
          if (flags.dropTarget === true) {
            await confirmDestruction('--drop-target', 'drops the target databases', flags.yes);
          }
          if (handle.run.how === 'running')
            await ensureWorker(engine, client, handle.run.pool, { output, signal });
          return await cancel(handle, cancelRequest(flags), session);
        }),
      ),
    );
}

function cancelRequest({ dropTarget, keepTarget }: CancelFlags): CancelRequest {
  if (dropTarget === true) return { onCancel: 'drop-target' };
  return keepTarget === true ? { onCancel: 'keep-target' } : {};
}

async function cancel(handle: MigrationHandle, request: CancelRequest, session: Session): Promise<ExitCode> {
  const { output, signal } = session;
  const accepted = handle.run.how === 'running' && (await handle.cancel(request));
  const status = accepted ? await follow(handle, { output, signal }) : await handle.result();
  if (status === undefined) return EXIT.detached;
  if (output.json) output.data(JSON.stringify(status, null, 2));
  if (status.state === 'Canceled') {
    output.say(`Migration ${handle.name} is canceled.`);
    return EXIT.done;
  }
  output.error(
    accepted
      ? `Migration ${handle.name} ended as ${status.state} before the cancellation took effect.`
      : `Migration ${handle.name} had ended already, as ${status.state}.`,
  );
  return EXIT.failed;
}
