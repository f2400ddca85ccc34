import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { PostgresServer } from '../../embedded';
import { executableIn, pathDirectories } from '../../embedded/executable-search';

const execute = promisify(execFile);

/** pgbench of the server's own folder, else of PATH; the servers that npm brings have none. */
export function findPgbench({ binaries }: PostgresServer): string | undefined {
  for (const directory of [binaries.directory, ...pathDirectories(process.env)]) {
    const path = executableIn(directory, 'pgbench');
    if (path !== undefined) return path;
  }
  return undefined;
}

/** @throws Error with what it printed, where it fails */
export async function runProgram(
  path: string,
  args: string[],
  options: { signal: AbortSignal; environment?: NodeJS.ProcessEnv },
): Promise<void> {
  await execute(path, args, {
    signal: options.signal,
    env: { ...process.env, ...options.environment },
    maxBuffer: 64 * 1024 ** 2,
  });
}

/** What it printed on stdout. */
export async function runProgramForOutput(path: string, args: string[]): Promise<string> {
  return (await execute(path, args)).stdout;
}
