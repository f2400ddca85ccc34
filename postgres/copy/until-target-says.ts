import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { withConnection, type Endpoint } from '../connect';

/** Milliseconds. */
const LOOK_INTERVAL = 5_000;

/**
 * Asks the target now and then, until it says yes. That it cannot be asked for a while changes nothing: whoever has work to
 * do there reports it.
 *
 * @throws FlexliftError SnapshotLost, which is an answer; the signal's reason when it fires
 */
export async function untilTargetSays(
  { target, database, signal }: { target: Endpoint; database: string; signal: AbortSignal },
  ask: (target: Client) => Promise<boolean>,
): Promise<void> {
  for (;;) {
    try {
      await pause(LOOK_INTERVAL, undefined, { signal });
      if (await withConnection(target, database, signal, ask)) return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FlexliftError && error.code === 'SnapshotLost') throw error;
    }
  }
}
