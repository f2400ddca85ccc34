import { setTimeout as pause } from 'node:timers/promises';
import type { BenchServers } from '../support/bench-servers';

/** Seconds between two of a kind: at least, at most. */
const BETWEEN_KILLS = [20, 60] as const;
const BETWEEN_RESTARTS = [120, 300] as const;
const RESTARTS = [
  { side: 'source', mode: 'fast' },
  { side: 'target', mode: 'immediate' },
  { side: 'source', mode: 'immediate' },
  { side: 'target', mode: 'fast' },
] as const;

/** Kills the worker and restarts the servers, at random moments, until it is stopped. */
export class Chaos {
  kills = 0;
  restarts = 0;
  private readonly stopped = new AbortController();
  private readonly loops: Promise<void>;
  private failure?: Error;

  constructor(
    private readonly servers: BenchServers,
    private readonly replaceWorker: () => Promise<void>,
    private readonly say: (line: string) => void,
  ) {
    const loops = [
      this.again(BETWEEN_KILLS, () => this.killOnce()),
      this.again(BETWEEN_RESTARTS, () => this.restartOnce()),
    ];
    this.loops = Promise.all(loops).then(() => undefined);
  }

  /** @throws what a restart or a new worker failed with */
  async stop(): Promise<void> {
    this.stopped.abort();
    await this.loops;
    if (this.failure !== undefined) throw this.failure;
  }

  private async again([least, most]: readonly [number, number], strike: () => Promise<void>): Promise<void> {
    const { signal } = this.stopped;
    try {
      for (;;) {
        const seconds = least + Math.random() * (most - least);
        await pause(seconds * 1_000, undefined, { signal }).catch(() => undefined);
        if (signal.aborted) return;
        await strike();
      }
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
      this.stopped.abort();
    }
  }

  private async killOnce(): Promise<void> {
    await this.replaceWorker();
    this.kills += 1;
  }

  private async restartOnce(): Promise<void> {
    const next = RESTARTS[this.restarts % RESTARTS.length];
    if (next === undefined) return;
    this.say(`the ${next.side} is restarted (${next.mode})`);
    await this.servers[next.side].restart(next.mode);
    this.restarts += 1;
  }
}
