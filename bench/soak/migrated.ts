import { killWorker, startWorker } from '../../cli/engine';
import type { MigrationHandle, MigrationStatus } from '../../client';
import type { BenchServers } from '../support/bench-servers';
import { workerPid, POOL, untilReady, type Product } from '../support/product';
import { runProgramForOutput } from '../support/programs';
import { uriOf } from '../support/sessions';
import { DATABASE } from './schema';

/** Milliseconds: so short that half an hour sees many of each. */
const TIMEOUTS = { heartbeat: 5_000, segment: 60_000, watch: 5_000, proof: 30_000 };
const LIMITS = { partBytes: 4 * 1024 ** 2, groupBytes: 4 * 1024 ** 2 };
/** Writers at full speed are always some ahead. */
const MAX_LAG = 64 * 1024 ** 2;
const ATTEMPTS = 5;

/** The migration under test, and its worker. */
export class MigratedServer {
  private constructor(
    private readonly product: Product,
    readonly handle: MigrationHandle,
  ) {}

  static async start(product: Product, { source, target }: BenchServers): Promise<MigratedServer> {
    const handle = await product.client.create({
      name: 'soak',
      pool: POOL,
      mode: 'Online',
      source: uriOf(source, 'postgres'),
      target: uriOf(target, 'postgres'),
      databases: [DATABASE],
      limits: LIMITS,
      timeouts: TIMEOUTS,
    });
    return new MigratedServer(product, handle);
  }

  /** As a crash would, and another one follows. */
  readonly replaceWorker = async (): Promise<void> => {
    const { engine, client, options } = this.product;
    await killWorker(engine, POOL);
    await startWorker(engine, client, POOL, options);
  };

  async status(): Promise<MigrationStatus | undefined> {
    return (await this.handle.snapshot()).status;
  }

  /** Bytes resident now; undefined between two workers. */
  async workerBytes(): Promise<number | undefined> {
    const pid = workerPid(this.product);
    if (pid === undefined) return undefined;
    try {
      return Number(await runProgramForOutput('ps', ['-o', 'rss=', '-p', String(pid)])) * 1024;
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
      await untilReady(this.handle, signal);
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
}
