import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

const SUFFIX = process.platform === 'win32' ? '.exe' : '';

/** The program's path in `directory`, if it is a file that this user can run. */
export function executableIn(directory: string, program: string): string | undefined {
  const file = join(directory, program + SUFFIX);
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

/** The directories of PATH, without empty and relative ones, which would depend on where a command is run. */
export function pathDirectories(env: NodeJS.ProcessEnv): string[] {
  return (env.PATH ?? '').split(delimiter).filter(isAbsolute);
}

/** All programs of that name on PATH, first found first. */
export function executablesOnPath(program: string, env: NodeJS.ProcessEnv): string[] {
  return pathDirectories(env).flatMap((directory) => executableIn(directory, program) ?? []);
}
