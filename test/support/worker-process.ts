import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { startCli } from './cli';
import { testTemporalAddress } from './temporal';

/** A worker in a process of its own, which a test can kill. */
export class WorkerProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly output: string[],
  ) {}

  static start(options: {
    pool: string;
    queues?: string[];
    address?: string;
    environment?: Record<string, string>;
  }) {
    const queues = (options.queues ?? []).flatMap((queue) => ['--queue', queue]);
    const child = startCli(['worker', '--pool', options.pool, ...queues], {
      TEMPORAL_ADDRESS: options.address ?? testTemporalAddress(),
      TEMPORAL_NAMESPACE: 'default',
      ...options.environment,
    });
    const output: string[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    return new WorkerProcess(child, output);
  }

  get log(): string {
    return this.output.join('');
  }

  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, 'close');
    this.child.kill(signal);
    await closed;
  }

  /** Stops it in its tracks without ending it: what a worker cut off from the network looks like. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }
}
