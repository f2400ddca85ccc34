import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../package-root';

/** The folder of one database's files is its name, but for the caller's prefix. */
export type SampleFolder = 'shop' | 'archive_latin1';

/** Run in this order: those of a folder by name, the databases one after the other. */
export const SAMPLE_FOLDERS = ['shop', 'archive_latin1'] as const satisfies readonly SampleFolder[];

/** `50-newer.from12.sql`: for servers of that major and newer only. */
const FROM_MAJOR = /\.from(\d+)\.sql$/;

/** Paths under `embedded/sample` of what a server of this major gets, in the order of running. */
export async function sampleFiles(folder: SampleFolder, major: number): Promise<string[]> {
  const names = await readdir(join(sampleDirectory(), folder));
  return names
    .filter((name) => name.endsWith('.sql') && Number(FROM_MAJOR.exec(name)?.[1] ?? 0) <= major)
    .sort()
    .map((name) => `${folder}/${name}`);
}

export async function readSampleFile(path: string): Promise<string> {
  return await readFile(join(sampleDirectory(), path), 'utf8');
}

/** The SQL is not compiled: it stays where it is, beside `dist` in a package too. */
function sampleDirectory(): string {
  return join(packageRoot(), 'embedded', 'sample');
}
