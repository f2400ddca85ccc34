import type { Command } from 'commander';
import { ensureWorker } from '../engine';
import { withSession } from '../session';
import { addJsonFlag, examples, run } from './common';
import { followToEnd } from './follow-to-end';

export function addWatch(program: Command): void {
  addJsonFlag(
    program.command('watch').argument('<name>').description('follow a migration to its end, then report'),
  )
    .addHelpText('after', examples('flexlift watch shop') + '\nEnds with the exit code of the migration.\n')
    .action((name: string, _flags: unknown, self: Command) =>
      run(self, (output) =>
        withSession(output, async (session) => {
          const { engine, client, signal } = session;
          const handle = await client.find(name);
          if (handle.run.how === 'running')
            await ensureWorker(engine, client, handle.run.pool, { output, signal });
          return await followToEnd(handle, session);
        }),
      ),
    );
}
