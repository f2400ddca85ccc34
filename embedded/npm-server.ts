import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { packageRoot } from './package-root';
import { serversDirectory } from './shared-directory';

/** A PostgreSQL server that npm has put into node_modules. */
export interface NpmServer {
  major: number;
  /** Its folder of `bin`, `lib` and `share`. */
  native: string;
}

/** The servers for this platform, by the aliases of `embedded/servers/package.json`. */
export function npmServers(): NpmServer[] {
  const alias = new RegExp(`^postgres-(\\d+)-${process.platform}-${process.arch}$`);
  return moduleFolders().flatMap((folder) =>
    readdirSync(folder).flatMap((name) => {
      const major = alias.exec(name)?.[1];
      const native = join(folder, name, 'native');
      return major !== undefined && existsSync(native) ? [{ major: Number(major), native }] : [];
    }),
  );
}

/** The node_modules folders that a module of ours is looked up in, ours and the workspace's first. */
function moduleFolders(): string[] {
  const root = packageRoot();
  const folders = [join(root, 'embedded', 'servers', 'node_modules')];
  for (let directory = root; ; directory = dirname(directory)) {
    folders.push(join(directory, 'node_modules'));
    if (dirname(directory) === directory) return folders.filter((folder) => existsSync(folder));
  }
}

/**
 * Makes the libraries' symbolic links, which an npm package can't hold and its install script makes; npm may have been told
 * to run none. Gives `native`.
 */
export function linkLibraries(native: string): string {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return native;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as {
    source: string;
    target: string;
  }[]) {
    const link = join(dirname(native), target);
    const to = relative(dirname(link), join(dirname(native), source));
    try {
      symlinkSync(to, link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  return native;
}

/** Copies the server to where its user can read it, once per version; for a node_modules that is private or read-only. */
export async function copyNpmServer(native: string): Promise<string> {
  const name = dirname(native);
  const { version } = JSON.parse(readFileSync(join(name, 'package.json'), 'utf8')) as { version: string };
  const copy = join(await serversDirectory('binaries'), `${basename(name)}-${version}`);
  if (existsSync(copy)) return join(copy, 'native');
  const draft = `${copy}.${randomBytes(4).toString('hex')}`;
  mkdirSync(draft, { recursive: true });
  try {
    cpSync(native, join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    linkLibraries(join(draft, 'native'));
    makeReadable(draft);
    renameInto(draft, copy);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return join(copy, 'native');
}

/** Readable by everybody, and runnable where the owner may run it, whatever the umask is. */
function makeReadable(path: string): void {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return;
  chmodSync(path, (stat.mode & 0o100) === 0 ? 0o644 : 0o755);
  if (stat.isDirectory()) readdirSync(path).forEach((name) => makeReadable(join(path, name)));
}

/** Somebody else's copy that came first is as good. */
function renameInto(draft: string, copy: string): void {
  try {
    renameSync(draft, copy);
  } catch (error) {
    if (!existsSync(copy)) throw error;
  }
}
