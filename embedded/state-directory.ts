import envPaths from 'env-paths';
import { chmodSync, mkdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { FlexliftError, PRODUCT } from '../contract';

/** Where the embedded Temporal and worker, and what outlives a command, are kept. All paths are absolute. */
export interface StateDirectory {
  root: string;
  /** The embedded Temporal server's database file. */
  temporalDatabase: string;
  /** One JSON file per background process, see {@link ./process-record}. */
  processes: string;
  logs: string;
  reports: string;
  keys: string;
}

/**
 * Makes the directory, readable by its owner only, and gives its paths: `FLEXLIFT_STATE_DIR`, else
 * `$XDG_STATE_HOME/flexlift`, else what the platform has for it (`~/.local/state/flexlift`; on macOS
 * `~/Library/Application Support/flexlift`).
 * @throws FlexliftError `InvalidRequest` where it can't be made or written.
 */
export function stateDirectory(env: NodeJS.ProcessEnv = process.env): StateDirectory {
  const root = stateRoot(env);
  const state: StateDirectory = {
    root,
    temporalDatabase: join(root, 'temporal.db'),
    processes: join(root, 'processes'),
    logs: join(root, 'logs'),
    reports: join(root, 'reports'),
    keys: join(root, 'keys'),
  };
  for (const directory of [root, state.processes, state.logs, state.reports, state.keys]) {
    makePrivate(directory, 'FLEXLIFT_STATE_DIR');
  }
  return state;
}

/**
 * Makes and gives the directory of what can be got again (programs, initialised PostgreSQL clusters):
 * `$XDG_CACHE_HOME/flexlift`, else the platform's.
 * @throws FlexliftError `InvalidRequest` where it can't be made or written.
 */
export function cacheDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const directory = xdg(env.XDG_CACHE_HOME) ?? envPaths(PRODUCT, { suffix: '' }).cache;
  makePrivate(directory, 'XDG_CACHE_HOME');
  return directory;
}

function stateRoot(env: NodeJS.ProcessEnv): string {
  const chosen = env.FLEXLIFT_STATE_DIR;
  if (chosen !== undefined && chosen !== '') {
    if (isAbsolute(chosen)) return chosen;
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `FLEXLIFT_STATE_DIR is ${JSON.stringify(chosen)}, which is not an absolute path.`,
      remedy: 'Set it to an absolute path, for commands run in different folders share it.',
    });
  }
  const paths = envPaths(PRODUCT, { suffix: '' });
  // env-paths' `log` is $XDG_STATE_HOME's default on Linux; elsewhere logs have a place that users expect to be emptied.
  return xdg(env.XDG_STATE_HOME) ?? (process.platform === 'linux' ? paths.log : paths.data);
}

/** The XDG specification has a relative path ignored. */
function xdg(base: string | undefined): string | undefined {
  return base !== undefined && isAbsolute(base) ? join(base, PRODUCT) : undefined;
}

function makePrivate(directory: string, variable: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    chmodSync(directory, 0o700);
  } catch (cause) {
    throw new FlexliftError(
      {
        code: 'InvalidRequest',
        sentence: `The folder ${directory} can't be made or is not ours: ${(cause as Error).message}.`,
        remedy: `Make it writable for this user, or set ${variable} to a folder that is.`,
      },
      { cause },
    );
  }
}
