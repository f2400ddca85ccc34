import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ApplierSetup, FromApplier, ToApplier } from './applier-messages';
import type { EngineFigures } from './engine';

/**
 * The applier in a process of its own, so that its memory and time are not mixed with the benchmark's; one for all rounds
 * of a case, as a worker's process outlives its activities.
 */
export class ApplierChild {
  /** Rejects when the applier fails; never resolves. */
  readonly failure: Promise<never>;

  private constructor(private readonly child: ChildProcess) {
    this.failure = new Promise((_, reject) => {
      child.on('message', (message: FromApplier) => {
        if (message.kind === 'failed') reject(new Error(message.message));
      });
      child.on('exit', (code, signal) =>
        reject(new Error(`the applier's process ended: ${signal ?? `code ${code}`}`)),
      );
    });
    // looked at only while a run is timed
    this.failure.catch(() => undefined);
  }

  /** Resolves when all its modules are loaded, as in a worker that runs already. */
  static async start(setup: ApplierSetup, profileDirectory?: string): Promise<ApplierChild> {
    const execArgv =
      profileDirectory === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDirectory}`];
    const applier = new ApplierChild(fork(join(__dirname, 'applier-process.js'), [], { execArgv }));
    const ready = applier.message('ready');
    applier.tell({ kind: 'setup', setup });
    await ready;
    return applier;
  }

  go(): Promise<void> {
    this.tell({ kind: 'go' });
    return Promise.resolve();
  }

  /** Stops what `go` began. */
  async stop(): Promise<EngineFigures> {
    const stopped = this.message('stopped');
    this.tell({ kind: 'stop' });
    const { peakBytes, cpuSeconds } = await stopped;
    return { peakBytes, cpuSeconds };
  }

  /** Ends the process. */
  async end(): Promise<void> {
    if (!this.child.connected) return;
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }

  private tell(message: ToApplier): void {
    this.child.send(message);
  }

  private async message<K extends FromApplier['kind']>(kind: K): Promise<Extract<FromApplier, { kind: K }>> {
    let listen: (message: FromApplier) => void = () => undefined;
    const told = new Promise<Extract<FromApplier, { kind: K }>>((resolve) => {
      listen = (message) => {
        if (message.kind === kind) resolve(message as Extract<FromApplier, { kind: K }>);
      };
      this.child.on('message', listen);
    });
    try {
      return await Promise.race([told, this.failure]);
    } finally {
      this.child.off('message', listen);
    }
  }
}
