import type { Engine, EngineOptions } from '../../cli/engine';
import { killWorker, startWorker } from '../../cli/engine';
import {
  isReadyForCutover,
  type MigrationClient,
  type MigrationHandle,
  type MigrationStatus,
} from '../../client';
import { runningProcess } from '../../embedded';
import type { BenchServers } from '../support/bench-servers';
import { poll, uriOf } from '../support/sessions';
import { runProgramForOutput } from '../support/programs';
import { DATABASE } from './schema';

const POOL = 'default';
const WORKER = 'worker';
/** Milliseconds: so short that half an hour sees many of each. */
const TIMEOUTS = { heartbeat: 5_000, segment: 60_000, watch: 5_000, proof: 30_000 };
const LIMITS = { partBytes: 4 * 1024 ** 2, groupBytes: 4 * 1024 ** 2 };
/** Writers at full speed are always some ahead. */
const MAX_LAG = 64 * 1024 ** 2;
const LOOK_INTERVAL = 1_000;
const ATTEMPTS = 5;

/** The migration under test, and its worker. */
export class MigratedServer {
  private constructor(
    private readonly engine: Engine,
    private readonly client: MigrationClient,
    private readonly options: EngineOptions,
    readonly handle: MigrationHandle,
  ) {}

  static async start(
    engine: Engine,
    client: MigrationClient,
    options: EngineOptions,
    { source, target }: BenchServers,
  ): Promise<MigratedServer> {
    await startWorker(engine, client, POOL, options);
    const handle = await client.create({
      name: 'soak',
      pool: POOL,
      mode: 'Online',
      source: uriOf(source, 'postgres'),
      target: uriOf(target, 'postgres'),
      databases: [DATABASE],
      limits: LIMITS,
      timeouts: TIMEOUTS,
    });
    return new MigratedServer(engine, client, options, handle);
  }

  /** As a crash would, and another one follows. */
  readonly replaceWorker = async (): Promise<void> => {
    await killWorker(this.engine, POOL);
    await startWorker(this.engine, this.client, POOL, this.options);
  };

  async status(): Promise<MigrationStatus | undefined> {
    return (await this.handle.snapshot()).status;
  }

  /** Bytes resident now; undefined between two workers. */
  async workerBytes(): Promise<number | undefined> {
    const running = runningProcess(this.engine.state, WORKER);
    if (running === undefined) return undefined;
    try {
      const pid = String(running.identity.pid);
      return Number(await runProgramForOutput('ps', ['-o', 'rss=', '-p', pid])) * 1024;
    } catch {
      return undefined;
    }
  }

  /**
   * Cuts over under full load, again where it was called off, and waits for the migration's end.
   *
   * @throws Error where it never gets there
   */
  async cutOver(signal: AbortSignal, say: (line: string) => void): Promise<MigrationStatus> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
      await poll(LOOK_INTERVAL, signal, async () => ((await this.isReady()) ? true : undefined));
      try {
        const cutover = await this.handle.cutover({ maxLagBytes: MAX_LAG });
        const { databases } = await cutover.result({ signal });
        const report = databases[0]?.cutover;
        say(
          `cutover ${attempt}: ${report?.state}, fenced for ${report?.fencedSeconds?.toFixed(1)} s` +
            (report?.failure === undefined ? '' : `: ${report.failure.sentence}`),
        );
        if (report?.state === 'Released') return await this.handle.result();
      } catch (error) {
        signal.throwIfAborted();
        say(`cutover ${attempt} was refused: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new Error(`${ATTEMPTS} cutovers, and none released the target`);
  }

  private async isReady(): Promise<boolean> {
    const status = await this.status();
    if (status === undefined) return false;
    if (status.endedAt !== undefined)
      throw new Error(`the migration ended before its cutover: ${status.state}`);
    return status.databases.length > 0 && status.databases.every(isReadyForCutover);
  }
}
