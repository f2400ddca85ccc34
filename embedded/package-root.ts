import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PRODUCT } from '../contract';

interface PackageFile {
  name?: string;
  version?: string;
}

function readPackageFile(directory: string): PackageFile | undefined {
  const file = join(directory, 'package.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as PackageFile) : undefined;
}

/** The folder of flexlift's own package.json, from the compiled files in `dist/` and from the sources alike. */
export function packageRoot(): string {
  let directory = __dirname;
  while (readPackageFile(directory)?.name !== PRODUCT) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`No package.json of ${PRODUCT} above ${__dirname}`);
    directory = parent;
  }
  return directory;
}

/** flexlift's version, e.g. `0.1.0`. */
export function packageVersion(): string {
  return readPackageFile(packageRoot())?.version ?? 'unknown';
}
