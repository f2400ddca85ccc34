import { createHash, randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { FlexliftError } from '../contract';
import type { ServerBinaries } from './server-binaries';
import { runAs, serverUser, writeAs, type ServerUser } from './server-user';
import { serversDirectory } from './shared-directory';

/** How a cluster is initialised. The superuser is `postgres`, the encoding UTF8, the locale C.UTF-8 (macOS: C). */
export interface ClusterOptions {
  binaries: ServerBinaries;
  /** Further options of initdb, which win over ours. */
  initdbArgs?: string[];
  /** The superuser's: connections then need it (scram-sha-256). Without, everybody on this machine is trusted. */
  password?: string;
}

const LOCALE = process.platform === 'darwin' ? 'C' : 'C.UTF-8';

/**
 * Makes `directory`, if it is missing, for the servers' user.
 * @throws FlexliftError `InvalidRequest` where that user can't enter a folder above it, or write it.
 */
export async function makeServerDirectory(directory: string, user: ServerUser | undefined): Promise<void> {
  if (!existsSync(directory)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (user !== undefined) chownSync(directory, user.uid, user.gid);
  }
  try {
    await runAs(user, 'test', ['-w', directory]);
  } catch (cause) {
    throw new FlexliftError(
      {
        code: 'InvalidRequest',
        sentence: `The directory ${directory} can't be reached and written by user ${user?.name ?? userInfo().username}, whom the server runs as.`,
        remedy: 'Choose one outside of private folders, e.g. in /var/tmp.',
      },
      { cause },
    );
  }
}

/**
 * Makes a cluster in `dataDirectory`, whose parent must exist and belong to the servers' user. Clusters without
 * a password are copies of one initialised once per version and options, and so have the same system identifier.
 */
export async function createCluster(dataDirectory: string, options: ClusterOptions): Promise<void> {
  const user = await serverUser();
  if (options.password !== undefined) return initdb(dataDirectory, options, user);
  const template = await clusterTemplate(options, user);
  await runAs(user, 'cp', ['-R', '-p', template, dataDirectory]);
}

async function clusterTemplate(options: ClusterOptions, user: ServerUser | undefined): Promise<string> {
  const key = JSON.stringify([
    options.binaries.directory,
    options.binaries.version,
    options.initdbArgs ?? [],
  ]);
  const name = `${options.binaries.version}-${createHash('sha256').update(key).digest('hex').slice(0, 12)}`;
  const home = join(await serversDirectory('templates'), user?.name ?? 'own');
  await makeServerDirectory(home, user);
  const template = join(home, name);
  if (existsSync(template)) return template;
  const draft = `${template}.${randomBytes(4).toString('hex')}`;
  try {
    await initdb(draft, options, user);
    renameSync(draft, template);
  } catch (error) {
    // Another process may have made the same one meanwhile.
    if (!existsSync(template)) throw error;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return template;
}

async function initdb(
  dataDirectory: string,
  options: ClusterOptions,
  user: ServerUser | undefined,
): Promise<void> {
  const { binaries, password, initdbArgs = [] } = options;
  const passwordFile = `${dataDirectory}.password`;
  const authentication =
    password === undefined ? ['--auth=trust'] : ['--auth=scram-sha-256', '--pwfile', passwordFile];
  try {
    if (password !== undefined) writeAs(user, passwordFile, `${password}\n`);
    await runAs(user, join(binaries.directory, 'initdb'), [
      ...[
        '--pgdata',
        dataDirectory,
        '--username=postgres',
        '--encoding=UTF8',
        `--locale=${LOCALE}`,
        '--no-sync',
      ],
      ...authentication,
      ...initdbArgs,
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}
