import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { FlexliftError } from '../../contract';

/** One pg_dump on this host. */
export interface PgDump {
  /** Absolute. */
  path: string;
  /** Its major version, e.g. 17. */
  major: number;
}

/** A directory that holds pg_dump; searched before all others. */
const CLIENT_TOOLS_VARIABLE = 'FLEXLIFT_PG_BIN';

/**
 * Where packages put the tools of each major: Debian, Red Hat, Alpine, Homebrew (ARM, Intel), Postgres.app, Windows.
 * They stand before PATH, since Debian's /usr/bin/pg_dump is a wrapper that picks a version by its own rules.
 */
const PACKAGE_DIRECTORIES = [
  ['/usr/lib/postgresql', 'bin'],
  ['/usr', 'bin', /^pgsql-\d+$/],
  ['/usr/libexec', '', /^postgresql\d+$/],
  ['/opt/homebrew/opt', 'bin', /^(postgresql@\d+|libpq)$/],
  ['/usr/local/opt', 'bin', /^(postgresql@\d+|libpq)$/],
  ['/Applications/Postgres.app/Contents/Versions', 'bin'],
  ['C:\\Program Files\\PostgreSQL', 'bin'],
] as const satisfies [string, string, RegExp?][];

/**
 * The pg_dump to dump a source with: never older than the source, of the target's major where there is one, else the
 * newest. (Newer tools write what their own major understands, so the target's own is the safest choice.)
 *
 * @throws FlexliftError ClientToolFailed where none is new enough
 */
export async function findPgDump(majors: { sourceMajor: number; targetMajor: number }): Promise<PgDump> {
  const found = await allPgDumps();
  const chosen = choosePgDump(found, majors);
  if (chosen !== undefined) return chosen;
  const newest = Math.max(...found.map(({ major }) => major));
  const wanted = Math.max(majors.sourceMajor, majors.targetMajor);
  throw new FlexliftError({
    code: 'ClientToolFailed',
    sentence:
      found.length === 0
        ? "This worker's host has no pg_dump."
        : `The newest pg_dump on this worker's host has version ${newest}, older than the source's ${majors.sourceMajor}.`,
    remedy: `Install the PostgreSQL ${wanted} client tools there (postgresql-client-${wanted} on Debian and Ubuntu, postgresql${wanted} on Red Hat, libpq in Homebrew), or name their directory in ${CLIENT_TOOLS_VARIABLE} and start the worker anew (flexlift stop, where it is flexlift's own).`,
  });
}

/** Of equal majors the first wins. */
export function choosePgDump(
  found: PgDump[],
  majors: { sourceMajor: number; targetMajor: number },
): PgDump | undefined {
  const usable = found.filter(({ major }) => major >= majors.sourceMajor);
  const newest = Math.max(...usable.map(({ major }) => major));
  return (
    usable.find(({ major }) => major === majors.targetMajor) ?? usable.find(({ major }) => major === newest)
  );
}

async function allPgDumps(): Promise<PgDump[]> {
  const name = process.platform === 'win32' ? 'pg_dump.exe' : 'pg_dump';
  const paths = (await searchedDirectories()).map((directory) => join(directory, name));
  const found = await Promise.all(paths.map(askVersion));
  return found.filter((tool) => tool !== undefined);
}

async function searchedDirectories(): Promise<string[]> {
  const own = process.env[CLIENT_TOOLS_VARIABLE];
  const onPath = (process.env.PATH ?? '').split(delimiter);
  const packaged = await Promise.all(
    PACKAGE_DIRECTORIES.map(async ([parent, bin, pattern]: [string, string, RegExp?]) => {
      const versions = await readdir(parent).catch(() => []);
      return versions
        .filter((version) => pattern?.test(version) ?? true)
        .map((version) => join(parent, version, bin));
    }),
  );
  const all = [own ?? '', ...packaged.flat(), '/usr/local/pgsql/bin', ...onPath];
  return [...new Set(all.filter((directory) => directory !== ''))];
}

async function askVersion(path: string): Promise<PgDump | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: 10_000 });
    const major = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
    return major === undefined ? undefined : { path, major: Number(major) };
  } catch {
    // not there or not executable: no tool
    return undefined;
  }
}
