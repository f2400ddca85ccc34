import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';

/** How long after its holder's death a lock can be taken, in milliseconds. */
const STALE = 5_000;

/**
 * Runs `work` while no other process of this user runs work under the lock of the same directory. Waits without end;
 * `signal` ends the waiting.
 */
export async function withLock<T>(
  directory: string,
  work: () => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const release = await acquire(directory, signal);
  try {
    return await work();
  } finally {
    await release().catch(() => undefined);
  }
}

async function acquire(directory: string, signal?: AbortSignal): Promise<() => Promise<void>> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await lock(directory, {
        lockfilePath: join(directory, 'lock'),
        realpath: false,
        stale: STALE,
        // A process that was suspended loses its lock. What is done under it is safe to be done twice (files are
        // renamed into place, a taken port refuses a second server), so that this must not end the process.
        onCompromised: () => undefined,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ELOCKED') throw error;
      await sleep(50 + Math.random() * 100, undefined, { signal });
    }
  }
}
