import { checkMigrationOptions, type MigrationHandle, type MigrationOptions } from '../../client';
import { configuredTemporal } from '../../embedded';
import { confirmDestruction } from '../confirm';
import { ensureWorker, webUiPage } from '../engine';
import type { MigrationFlags } from '../options/migration-flags';
import { migrationOptions, passwordOnCommandLine } from '../options/migration-options';
import type { Output } from '../output';
import type { Session } from '../session';

/**
 * All that can be said of the flags before anything is started.
 *
 * @throws UsageError, RequestError
 */
export async function optionsFromFlags(flags: MigrationFlags, output: Output): Promise<MigrationOptions> {
  const embeddedWorker = configuredTemporal() === undefined;
  const options = migrationOptions(flags, { embeddedWorker, environment: process.env });
  checkMigrationOptions(options);
  warnOfPassword(output);
  if (flags.overwrite === true) {
    await confirmDestruction('--overwrite', 'drops what is in the target databases', flags.yes);
  }
  return options;
}

export function warnOfPassword(output: Output): void {
  if (!passwordOnCommandLine()) return;
  output.warn(
    "a password on the command line stays in the shell's history. Better: --source-password-env, " +
      '--source-password-file, ~/.pgpass, or FLEXLIFT_SOURCE.',
  );
}

/** Starts the migration, or finds the one that the same options started before. */
export async function startMigration(options: MigrationOptions, session: Session): Promise<MigrationHandle> {
  const { engine, client, output, signal } = session;
  await ensureWorker(engine, client, options.pool ?? 'default', { output, signal });
  const handle = await client.create(options);
  announce(handle, session);
  return handle;
}

function announce(handle: MigrationHandle, { engine, output }: Session): void {
  const { name, how } = handle.run;
  const page = webUiPage(engine, handle.workflowId);
  const where = page === undefined ? `workflow ${handle.workflowId} in namespace ${engine.namespace}` : page;
  if (how === 'ended') {
    output.say(
      `Migration ${name} has succeeded before, nothing was done now. Give another --name to migrate once more.`,
    );
  } else {
    output.say(`Migration ${name} ${how === 'started' ? 'has started' : 'goes on'}: ${where}`);
  }
}
