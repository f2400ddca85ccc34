import { randomBytes } from 'node:crypto';
import {
  createSampleRoles,
  createServer,
  DEMO_MAJORS,
  findServerBinaries,
  loadSample,
  type PostgresServer,
  type SampleServer,
} from '../../embedded';
import { FlexliftError } from '../../contract';
import type { Output } from '../output';
import type { DemoPlace } from './demo-place';

export interface DemoServers {
  source: PostgresServer;
  target: PostgresServer;
  /** Of the superuser of both, made for this demo. */
  password: string;
}

export interface StartServersOptions {
  place: DemoPlace;
  megabytes: number;
  output: Output;
  signal: AbortSignal;
}

/** Nothing here outlives the demo: no need to wait for the disk. */
const SETTINGS = { fsync: false, full_page_writes: false, max_wal_size: '1GB', wal_level: 'logical' };

/** Starts both servers, fills the source and makes the sample's roles on the target. */
export async function startServers({
  place,
  megabytes,
  output,
  signal,
}: StartServersOptions): Promise<DemoServers> {
  const password = randomBytes(12).toString('hex');
  const common = { password, settings: SETTINGS };
  const [source, target] = await Promise.all([
    createServer({ ...common, directory: place.sourceDirectory, major: await sourceMajor() }),
    createServer({ ...common, directory: place.targetDirectory, major: DEMO_MAJORS.target }),
  ]);
  signal.throwIfAborted();
  await Promise.all([source.start(), target.start()]);
  output.say(`Source: PostgreSQL ${source.binaries.version} at ${source.host}:${source.port}`);
  output.say(`Target: PostgreSQL ${target.binaries.version} at ${target.host}:${target.port}`);
  await fillSource({ source, target, password }, megabytes, output, signal);
  return { source, target, password };
}

export function superuserUri(server: PostgresServer, password: string, database: string): string {
  return `postgres://postgres:${password}@${server.host}:${server.port}/${database}`;
}

export function sampleServer({ host, port }: PostgresServer, password: string): SampleServer {
  return { host, port, user: 'postgres', password };
}

async function fillSource(
  { source, target, password }: DemoServers,
  megabytes: number,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  output.say(`Filling the source with the sample, about ${megabytes} MB`);
  await loadSample({
    address: sampleServer(source, password),
    megabytes,
    signal,
    onProgress: ({ file, filesDone, files }) => output.detail(`  ${file} (${filesDone} of ${files})`),
  });
  await createSampleRoles({ address: sampleServer(target, password), signal });
}

/** One that is 14 or older, else the oldest there is. */
async function sourceMajor(): Promise<number> {
  try {
    return (await findServerBinaries(DEMO_MAJORS.source)).major;
  } catch (error) {
    if (!(error instanceof FlexliftError)) throw error;
    return await oldestMajor(error);
  }
}

async function oldestMajor(missing: FlexliftError): Promise<number> {
  for (let major = DEMO_MAJORS.source.atMost + 1; major < DEMO_MAJORS.target.atLeast; major += 1) {
    const found = await findServerBinaries(major).catch(() => undefined);
    if (found !== undefined) return found.major;
  }
  throw missing;
}
