import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createServer,
  ensureTemporalServer,
  killTemporalServer,
  openServer,
  stateDirectory,
  type EmbeddedProgress,
  type StateDirectory,
} from '../../embedded';
import { identifyProcess, isAlive, type ProcessIdentity } from '../../embedded/process-identity';
import { MAJORS, SERVERS_VARIABLE, type Major } from './servers';
import { TEMPORAL_VARIABLE } from './temporal';

const PREFIX = 'flexlift-test-';

/** The tests crash processes, never the machine: no server needs to wait for its disk. */
const SETTINGS = {
  fsync: false,
  wal_level: 'logical',
  max_connections: 200,
  max_prepared_transactions: 10,
  max_replication_slots: 60,
  max_wal_senders: 60,
  shared_buffers: '128MB',
};

/** The servers of one run of the tests, in a directory of their own. */
export class TestEnvironment {
  static current: TestEnvironment | undefined;

  private constructor(private readonly directory: string) {}

  /** Starts what {@link SERVERS_VARIABLE} and {@link TEMPORAL_VARIABLE} don't name, and sets them. */
  static async start(): Promise<void> {
    await removeAbandoned();
    const environment = new TestEnvironment(makeDirectory());
    TestEnvironment.current = environment;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, environment.stopAndExit);
    try {
      await allSettled([environment.startServers(), environment.startTemporal()]);
    } catch (error) {
      // jest runs no teardown after a setup that failed.
      await environment.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.removeListener(signal, this.stopAndExit);
    await removeEnvironment(this.directory);
  }

  private readonly stopAndExit = () => void this.stop().finally(() => process.exit(130));

  private async startServers(): Promise<void> {
    if (process.env[SERVERS_VARIABLE]) return;
    const ports = await allSettled(MAJORS.map(async (major) => `${major}=${await this.startServer(major)}`));
    process.env[SERVERS_VARIABLE] = ports.join(',');
  }

  private async startServer(major: Major): Promise<number> {
    const directory = join(this.directory, `pg${major}`);
    const server = await createServer({ major, directory, settings: SETTINGS });
    await server.start();
    return server.port;
  }

  private async startTemporal(): Promise<void> {
    if (process.env[TEMPORAL_VARIABLE]) return;
    const { address } = await ensureTemporalServer(temporalState(this.directory), {
      namespace: 'default',
      onProgress: reportBuild,
    });
    process.env[TEMPORAL_VARIABLE] = address;
  }
}

function makeDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), PREFIX));
  // The servers run as another user where we are root.
  chmodSync(directory, 0o711);
  writeFileSync(ownerFile(directory), JSON.stringify(identifyProcess(process.pid)));
  return directory;
}

function ownerFile(directory: string): string {
  return join(directory, 'owner.json');
}

function temporalState(directory: string): StateDirectory {
  return stateDirectory({ FLEXLIFT_STATE_DIR: join(directory, 'state') });
}

async function removeEnvironment(directory: string): Promise<void> {
  const servers = await Promise.all(MAJORS.map((major) => openServer(join(directory, `pg${major}`))));
  await Promise.all([
    killTemporalServer(temporalState(directory)),
    ...servers.map((server) => server?.kill()),
  ]);
  rmSync(directory, { recursive: true, force: true });
}

/** What a run that was killed left behind. */
async function removeAbandoned(): Promise<void> {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith(PREFIX));
  for (const directory of names.map((name) => join(tmpdir(), name))) {
    if (isAbandoned(directory)) await removeEnvironment(directory);
  }
}

function isAbandoned(directory: string): boolean {
  try {
    return !isAlive(JSON.parse(readFileSync(ownerFile(directory), 'utf8')) as ProcessIdentity);
  } catch {
    // Another user's, or another run that is just beginning.
    return false;
  }
}

/** The wait for a build of some minutes must not look like a hang; all else is quick. */
function reportBuild({ what, elapsedSeconds, detail }: EmbeddedProgress): void {
  if (elapsedSeconds < 5) return;
  process.stderr.write(
    `${what}: ${elapsedSeconds.toFixed(0)} s${detail === undefined ? '' : `, ${detail}`}\n`,
  );
}

/** As Promise.all, but nothing is still under way when it rejects. */
async function allSettled<T>(promises: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
