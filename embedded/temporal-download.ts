import { createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { childEnvironment } from './child-environment';
import { executableIn } from './executable-search';
import { startProgress } from './progress';
import { runCommand } from './run-command';
import type { FindTemporalOptions } from './temporal-binary';

const DOWNLOAD_URL = 'https://temporal.download/cli/archive/latest';
/** Without an answer or a further byte for so long, there is no way out of this network. Milliseconds. */
const SILENCE = 5_000;

/**
 * Downloads the newest release of the Temporal CLI into `directory`.
 * @throws Error whose message says why it could not.
 */
export async function downloadTemporal(directory: string, options: FindTemporalOptions): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const workspace = await mkdtemp(join(directory, 'download-'));
  try {
    const archive = join(workspace, 'archive');
    await fetchArchive(archive, options);
    await extract(archive, workspace, options.signal);
    const program = executableIn(workspace, 'temporal');
    if (program === undefined) throw new Error('the archive holds no program');
    await chmod(program, 0o755);
    await rename(program, program.replace(workspace, directory));
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function fetchArchive(
  file: string,
  { downloadUrl, signal, onProgress }: FindTemporalOptions,
): Promise<void> {
  const url = new URL(downloadUrl ?? DOWNLOAD_URL);
  url.searchParams.set('platform', process.platform === 'win32' ? 'windows' : process.platform);
  url.searchParams.set('arch', process.arch === 'x64' ? 'amd64' : process.arch);
  const report = startProgress('Downloading Temporal', onProgress);
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE);
  const abort = AbortSignal.any(signal === undefined ? [silence.signal] : [silence.signal, signal]);
  let bytes = 0;
  try {
    report();
    const response = await fetch(url, { signal: abort });
    if (!response.ok || response.body === null) throw new Error(`${url.host} answered ${response.status}`);
    const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        timer.refresh();
        bytes += chunk.length;
        report(`${Math.floor(bytes / 1024 / 1024)} MB`);
        yield chunk;
      }
    };
    await pipeline(response.body, counted, createWriteStream(file), { signal: abort });
  } catch (error) {
    if (silence.signal.aborted)
      throw new Error(`no answer from ${url.host} for ${SILENCE / 1000} s`, { cause: error });
    throw new Error(reasonOf(error as Error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** fetch says only `fetch failed`; the reason is the cause's. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** tar of Windows 10 and macOS reads zip archives too, which is what Windows gets. */
async function extract(archive: string, into: string, signal?: AbortSignal): Promise<void> {
  const result = await runCommand('tar', ['-xf', archive, '-C', into], {
    env: childEnvironment(),
    timeout: 60_000,
    signal,
  });
  if (!result.succeeded) throw new Error(`tar can't unpack the archive: ${result.failure}`);
}
