import { setTimeout as pause } from 'node:timers/promises';
import type { ProofSide } from './proof-sessions';

/** Milliseconds. */
const LOOK_INTERVAL = 500;

/**
 * Cancels the readers' statements as soon as somebody waits for a lock of theirs, an application's ALTER TABLE on the
 * source or the applier's TRUNCATE on the target: a checksum can last for hours, and everybody else waits behind them.
 */
export async function whileYielding<T>(
  sides: ProofSide[],
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const stop = AbortSignal.any([signal, done.signal]);
  const lookouts = sides.map((side) => lookOut(side, stop));
  try {
    return await work();
  } finally {
    done.abort();
    await Promise.all(lookouts);
  }
}

async function lookOut({ lookout, readerPid }: ProofSide, signal: AbortSignal): Promise<void> {
  try {
    for (;;) {
      await pause(LOOK_INTERVAL, undefined, { signal });
      await lookout.query(
        `SELECT pg_catalog.pg_cancel_backend($1)
          WHERE EXISTS (SELECT FROM pg_catalog.pg_locks l
                         WHERE l.locktype = 'relation' AND NOT l.granted
                           AND $1 = ANY (pg_catalog.pg_blocking_pids(l.pid)))`,
        [readerPid],
      );
    }
  } catch {
    // the work is done; or the session is gone, and with it the work
  }
}
