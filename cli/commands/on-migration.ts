import type { Command } from 'commander';
import type { MigrationHandle } from '../../client';
import { ensureWorker } from '../engine';
import type { ExitCode } from '../exit-code';
import { withSession, type Session } from '../session';
import { run } from './common';

/** Runs a command's work on the migration of this name, with a worker for what still runs. */
export async function onMigration(
  command: Command,
  name: string,
  work: (handle: MigrationHandle, session: Session) => Promise<ExitCode>,
): Promise<void> {
  await run(command, (output) =>
    withSession(output, async (session) => {
      const { engine, client, signal } = session;
      const handle = await client.find(name);
      if (handle.run.how === 'running') {
        await ensureWorker(engine, client, handle.run.pool, { output, signal });
      }
      return await work(handle, session);
    }),
  );
}
