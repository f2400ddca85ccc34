import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connectClient, openEngine, startWorker, stopEngine, type Engine } from '../../cli/engine';
import type { EngineOptions } from '../../cli/engine';
import { Output } from '../../cli/output';
import { isReadyForCutover, type MigrationClient, type MigrationHandle } from '../../client';
import { runningProcess, stateDirectory } from '../../embedded';
import { poll } from './sessions';

export const POOL = 'default';
/** As the state directory calls the worker of that pool. */
const WORKER = 'worker';
/** Milliseconds. */
const LOOK_INTERVAL = 1_000;

/** All of flexlift: a Temporal server, and a worker in a process of its own. */
export interface Product {
  engine: Engine;
  client: MigrationClient;
  options: EngineOptions;
}

/** Runs `work` with the product, whose state is kept below `directory`, and stops all of it at the end. */
export async function withProduct<T>(
  directory: string,
  signal: AbortSignal,
  work: (product: Product) => Promise<T>,
): Promise<T> {
  const state = join(directory, 'state');
  mkdirSync(state, { mode: 0o700 });
  const environment = { ...process.env, FLEXLIFT_STATE_DIR: state };
  const options = { output: new Output(), environment, signal };
  try {
    const engine = await openEngine(options);
    const client = await connectClient(engine, options.output);
    try {
      await startWorker(engine, client, POOL, options);
      return await work({ engine, client, options });
    } finally {
      await client.close();
    }
  } finally {
    await stopEngine(stateDirectory(environment));
  }
}

/** Of the pool's one worker; undefined between two of them. */
export function workerPid({ engine }: Product): number | undefined {
  return runningProcess(engine.state, WORKER)?.identity.pid;
}

/** @throws Error where the migration ends instead */
export async function untilReady(handle: MigrationHandle, signal: AbortSignal): Promise<void> {
  await poll(LOOK_INTERVAL, signal, async () => {
    const { status } = await handle.snapshot();
    if (status?.endedAt !== undefined) {
      const failure = status.failure ?? status.databases.find((database) => database.failure)?.failure;
      throw new Error(
        `the migration ended before its cutover: ${status.state}` +
          (failure === undefined ? '' : `: ${failure.sentence}`),
      );
    }
    return status !== undefined && status.databases.length > 0 && status.databases.every(isReadyForCutover)
      ? true
      : undefined;
  });
}
