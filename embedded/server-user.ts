import { chownSync, writeFileSync } from 'node:fs';
import { FlexliftError } from '../contract';
import { childEnvironment } from './child-environment';
import { runCommand } from './run-command';

/** initdb and a start after a crash take seconds; a slow disk more. Milliseconds. */
const RUN_TIMEOUT = 180_000;

/** The user a PostgreSQL server runs as where we are root, as which it refuses to run. */
export interface ServerUser {
  name: string;
  uid: number;
  gid: number;
}

/**
 * Undefined: we are not root, and a server runs as ourselves. As root: `postgres`, else `nobody`.
 * @throws FlexliftError `ClientToolFailed` where this machine has neither.
 */
export async function serverUser(): Promise<ServerUser | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const uid = await numericId('-u', name);
    const gid = await numericId('-g', name);
    if (uid !== undefined && gid !== undefined && uid !== 0) return { name, uid, gid };
  }
  throw new FlexliftError({
    code: 'ClientToolFailed',
    sentence:
      'A PostgreSQL server refuses to run as root, and there is no user postgres or nobody to run it as.',
    remedy: 'Run the command as an ordinary user, or create the user postgres.',
  });
}

async function numericId(option: '-u' | '-g', name: string): Promise<number | undefined> {
  const { succeeded, output } = await runCommand('id', [option, name], {
    env: childEnvironment(),
    timeout: 10_000,
  });
  return succeeded && /^\d+$/.test(output.trim()) ? Number(output.trim()) : undefined;
}

/**
 * Runs a program as the servers' user.
 * @throws FlexliftError `ClientToolFailed` with its last lines.
 */
export async function runAs(user: ServerUser | undefined, program: string, args: string[]): Promise<void> {
  const result = await runCommand(program, args, {
    // The servers' user has no use for our home, and may not enter it.
    env: { ...childEnvironment(), HOME: '/', LC_ALL: 'C' },
    cwd: '/',
    user,
    timeout: RUN_TIMEOUT,
  });
  if (result.succeeded) return;
  const as = user === undefined ? '' : ` as user ${user.name}`;
  const lastLines = JSON.stringify(result.output.trim().split('\n').slice(-3).join(' | '));
  throw new FlexliftError({
    code: 'ClientToolFailed',
    sentence: `${program} failed${as} (${result.failure}): ${lastLines}.`,
    remedy: 'Check that this user can reach and write the directory, and that the disk is not full.',
  });
}

/** Writes a file that only the servers' user can read. */
export function writeAs(user: ServerUser | undefined, file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  if (user !== undefined) chownSync(file, user.uid, user.gid);
}
