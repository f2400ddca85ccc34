import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePort } from '../../embedded/ports';
import { runCli, type CliResult } from './cli';
import { testTemporalAddress } from './temporal';
import { WorkerProcess } from './worker-process';

/** What a person writes for a server of the tests, or for a proxy of one. */
export function uriOf({ port }: { port: number }): string {
  return `postgres://postgres@127.0.0.1:${port}/?sslmode=disable`;
}

/** A person at a terminal: commands of the built command line, and a worker of a pool of their own. */
export class Terminal {
  private worker?: WorkerProcess;

  private constructor(
    readonly pool: string,
    private readonly environment: Record<string, string>,
    private readonly metrics: string,
  ) {}

  static async open(pool: string): Promise<Terminal> {
    const environment = {
      TEMPORAL_ADDRESS: testTemporalAddress(),
      TEMPORAL_NAMESPACE: 'default',
      FLEXLIFT_STATE_DIR: mkdtempSync(join(tmpdir(), 'flexlift-terminal-')),
    };
    const metrics = `127.0.0.1:${await choosePort(undefined, 19_464)}`;
    return new Terminal(pool, environment, metrics);
  }

  startWorker(): void {
    const environment = { ...this.environment, FLEXLIFT_METRICS: this.metrics };
    this.worker = WorkerProcess.start({ pool: this.pool, environment });
  }

  async run(...args: string[]): Promise<CliResult> {
    return await runCli(args, this.environment);
  }

  /** @throws Error where it ends with another code than 0 */
  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, '--json');
    if (code !== 0) throw new Error(`flexlift ${args.join(' ')} ended with ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** The samples of flexlift's own metrics that Prometheus would read, e.g. `flexlift_replication_lag_bytes{…} 0`. */
  async scrape(): Promise<string[]> {
    const response = await fetch(`http://${this.metrics}/metrics`);
    const lines = (await response.text()).split('\n');
    return lines.filter((line) => line.startsWith('flexlift_'));
  }

  async close(): Promise<void> {
    await this.worker?.kill();
    rmSync(this.environment.FLEXLIFT_STATE_DIR ?? '', { recursive: true, force: true });
  }
}
