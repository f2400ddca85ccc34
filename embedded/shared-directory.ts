import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { FlexliftError, PRODUCT } from '../contract';
import { serverUser } from './server-user';
import { cacheDirectory } from './state-directory';

/**
 * A directory for what PostgreSQL servers read and write: in our cache; where we are root, outside root's home, which
 * the servers' user can't enter: in `/var/tmp/flexlift-0`.
 * @param name of a folder in it
 * @throws FlexliftError `InvalidRequest` where somebody else made a directory of that name.
 */
export async function serversDirectory(name: string): Promise<string> {
  const user = await serverUser();
  const parent = user === undefined ? join(cacheDirectory(), 'servers') : `/var/tmp/${PRODUCT}-0`;
  const directory = join(parent, name);
  for (const path of [parent, directory]) {
    mkdirSync(path, { recursive: true });
    refuseForeign(path);
    chmodSync(path, 0o755);
  }
  return directory;
}

/** /var/tmp is everybody's: programs out of another user's directory must not be run. */
function refuseForeign(path: string): void {
  const stat = lstatSync(path);
  if (stat.isDirectory() && (process.getuid === undefined || stat.uid === process.getuid())) return;
  throw new FlexliftError({
    code: 'InvalidRequest',
    sentence: `${path} is not a directory of this user.`,
    remedy: 'Have it removed and repeat the command.',
  });
}
