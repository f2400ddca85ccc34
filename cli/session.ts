import type { MigrationClient } from '../client';
import { connectClient, openEngine, type Engine } from './engine';
import { EXIT, type ExitCode } from './exit-code';
import type { Output } from './output';

/** What a command works with. */
export interface Session {
  engine: Engine;
  client: MigrationClient;
  output: Output;
  /** Aborted by the first Ctrl-C; the second one ends the process. */
  signal: AbortSignal;
}

/** Opens the engine, runs the command and closes the connection again. */
export async function withSession(
  output: Output,
  work: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  return await withInterrupt(async (signal) => {
    const engine = await openEngine({ output, signal });
    const client = await connectClient(engine, output);
    try {
      return await work({ engine, client, output, signal });
    } finally {
      await client.close();
    }
  });
}

/** Gives `work` a signal that Ctrl-C aborts. A command that it interrupts ends with 130. */
export async function withInterrupt(work: (signal: AbortSignal) => Promise<ExitCode>): Promise<ExitCode> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.detached);
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return EXIT.detached;
    throw error;
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** What the work gives; `undefined`: Ctrl-C came first, and nobody waits for it any more. */
export async function unlessInterrupted<T>(signal: AbortSignal, work: Promise<T>): Promise<T | undefined> {
  const interrupted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return await Promise.race([work, interrupted]);
}
