import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Endpoint } from '../connect';
import type { PgDump } from './client-tools';
import { dumpFailure } from './dump-failure';
import { connectionString, libpqEnvironment } from './libpq';

export interface SchemaDump {
  /** The source. */
  endpoint: Endpoint;
  database: string;
  pgDump: PgDump;
  /** An exported snapshot of the source; its holder must live until the dump ends. */
  snapshot: string;
  /** How long pg_dump may wait for the lock of a table, milliseconds. */
  lockTimeoutMs: number;
  signal: AbortSignal;
}

/**
 * The schema of a database as pg_dump writes it: an archive in custom format, without data; see `readArchive`.
 * Privileges and owners are always in it: what is left out is decided entry by entry.
 *
 * @throws FlexliftError ClientToolFailed with what pg_dump said; SnapshotLost, Contention, or what a connection of our
 * own throws, where that is the reason
 */
export async function dumpSchema(dump: SchemaDump): Promise<Buffer> {
  dump.signal.throwIfAborted();
  const directory = await mkdtemp(join(tmpdir(), 'flexlift-schema-'));
  try {
    const file = join(directory, 'schema.dump');
    const environment = await libpqEnvironment(dump.endpoint, directory);
    const { exitCode, messages } = await runPgDump(dump, file, environment);
    dump.signal.throwIfAborted();
    if (exitCode !== 0) throw await dumpFailure(dump, messages);
    return await readFile(file);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function pgDumpArguments(dump: SchemaDump, file: string): string[] {
  return [
    '--format=custom',
    '--schema-only',
    '--no-password',
    '--no-sync',
    '--encoding=UTF8',
    `--lock-wait-timeout=${dump.lockTimeoutMs}`,
    `--snapshot=${dump.snapshot}`,
    `--file=${file}`,
    `--dbname=${connectionString(dump.endpoint, dump.database)}`,
  ];
}

/** Milliseconds between asking pg_dump to stop, when it cancels its query on the server, and killing it. */
const GRACE = 5_000;

async function runPgDump(
  dump: SchemaDump,
  file: string,
  environment: Record<string, string>,
): Promise<{ exitCode: number | null; messages: string }> {
  const child = spawn(dump.pgDump.path, pgDumpArguments(dump, file), {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const messages: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => messages.push(chunk));
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    child.kill('SIGTERM');
    killer = setTimeout(() => child.kill('SIGKILL'), GRACE);
  };
  dump.signal.addEventListener('abort', stop, { once: true });
  if (dump.signal.aborted) stop();
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return { exitCode, messages: Buffer.concat(messages).toString('utf8') };
  } catch (error) {
    return { exitCode: null, messages: error instanceof Error ? error.message : String(error) };
  } finally {
    dump.signal.removeEventListener('abort', stop);
    clearTimeout(killer);
  }
}
