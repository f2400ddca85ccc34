import { join } from 'node:path';
import { FlexliftError } from '../contract';
import { childEnvironment } from './child-environment';
import { executableIn, executablesOnPath } from './executable-search';
import { withLock } from './lock';
import type { OnEmbeddedProgress } from './progress';
import { runCommand } from './run-command';
import { cacheDirectory } from './state-directory';
import { downloadTemporal } from './temporal-download';
import { buildTemporal, TEMPORAL_MODULE } from './temporal-go-build';

export interface TemporalBinary {
  /** Absolute. */
  path: string;
  origin: 'PATH' | 'cache' | 'download' | 'Go build';
  /** What it says of itself, e.g. `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
  version: string;
}

export interface FindTemporalOptions {
  env?: NodeJS.ProcessEnv;
  /** Where programs are kept that we got ourselves. Default: {@link cacheDirectory}. */
  cache?: string;
  /** Default: Temporal's own download service. */
  downloadUrl?: string;
  signal?: AbortSignal;
  onProgress?: OnEmbeddedProgress;
}

/** What gets the program into `directory` under the name `temporal`; throws where it can't. */
export type TemporalInstaller = (directory: string, options: FindTemporalOptions) => Promise<void>;

/**
 * A `temporal` program that can run a server, looked for on PATH, in our cache, at Temporal's download service
 * and built with Go, in this order. What was downloaded or built is kept in the cache; commands that ask at the
 * same time get it once.
 * @throws FlexliftError `TemporalUnreachable`, naming what was tried and the ways to get one.
 */
export async function findTemporalBinary(options: FindTemporalOptions = {}): Promise<TemporalBinary> {
  const present = await findPresentTemporal(options);
  if (present !== undefined) return present;
  const cache = options.cache ?? cacheDirectory(options.env);
  return withLock(cache, () => installTemporal(cache, options), options.signal);
}

/** As {@link findTemporalBinary}, without getting one. */
export async function findPresentTemporal(
  options: FindTemporalOptions = {},
): Promise<TemporalBinary | undefined> {
  const env = options.env ?? process.env;
  for (const path of executablesOnPath('temporal', env)) {
    const version = await temporalVersion(path, options);
    if (version !== undefined) return { path, origin: 'PATH', version };
  }
  return findCached(options.cache ?? cacheDirectory(env), options);
}

async function findCached(cache: string, options: FindTemporalOptions): Promise<TemporalBinary | undefined> {
  const path = executableIn(binDirectory(cache), 'temporal');
  const version = path === undefined ? undefined : await temporalVersion(path, options);
  return path === undefined || version === undefined ? undefined : { path, origin: 'cache', version };
}

function binDirectory(cache: string): string {
  return join(cache, 'bin');
}

async function installTemporal(cache: string, options: FindTemporalOptions): Promise<TemporalBinary> {
  const cached = await findCached(cache, options);
  if (cached !== undefined) return cached;
  const ways: [TemporalBinary['origin'], TemporalInstaller][] = [
    ['download', downloadTemporal],
    ['Go build', buildTemporal],
  ];
  const tried: string[] = [];
  for (const [origin, install] of ways) {
    try {
      await install(binDirectory(cache), options);
      const installed = await findCached(cache, options);
      if (installed !== undefined) return { ...installed, origin };
      tried.push(`${origin}: the program does not run here`);
    } catch (error) {
      options.signal?.throwIfAborted();
      tried.push(`${origin}: ${(error as Error).message}`);
    }
  }
  throw noTemporal(tried);
}

function noTemporal(tried: string[]): FlexliftError {
  return new FlexliftError({
    code: 'TemporalUnreachable',
    sentence: `There is no Temporal server: none is configured, no usable \`temporal\` is on PATH, and none could be got (${tried.join('; ')}).`,
    remedy:
      'Set TEMPORAL_ADDRESS to a server, or put the Temporal CLI (https://docs.temporal.io/cli) on PATH, ' +
      `or allow the download from temporal.download, or install Go and repeat (it builds ${TEMPORAL_MODULE}).`,
  });
}

/** The version line of a program that can run `server start-dev`; undefined for any other. */
async function temporalVersion(path: string, { signal }: FindTemporalOptions): Promise<string | undefined> {
  const result = await runCommand(path, ['--version'], { env: childEnvironment(), timeout: 30_000, signal });
  return result.succeeded ? /^temporal version .*\(Server .*$/m.exec(result.output)?.[0] : undefined;
}
