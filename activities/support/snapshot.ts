import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { currentScope, importScope, type Scope, type ScopeOf } from '../../postgres/copy';
import { inSnapshot } from '../../postgres/ledger';
import type { Run } from './run';

/** Between two looks for a keeper's snapshot, which it has soon where nothing is locked: at first, doubled up to the last. Milliseconds. */
const POLL_INTERVAL = { first: 30, last: 250 };

/** How long to wait before a lost snapshot is asked for again: the next keeper needs a moment. Milliseconds. */
const LOST_INTERVAL = 1_000;

export interface SnapshotSessions {
  /** Stands in the keeper's snapshot; read only. */
  source: Client;
  target: Client;
  scope: Scope;
}

/** What of the source work needs a snapshot of, and when it needs none any more. */
export interface SnapshotWanted<T> extends ScopeOf {
  /** Asked before each look for a keeper, who may be gone for good: what it finds is the work's result. */
  settled?: (target: Client) => Promise<T | undefined>;
}

/**
 * Runs `work` with a session on the source that stands in the keeper's snapshot and one on the target. Waits for a
 * keeper: at the start, and after one died, it takes a while until the next has its snapshot.
 */
export async function withSnapshot<T>(
  run: Run,
  database: string,
  { settled, ...of }: SnapshotWanted<T>,
  work: (sessions: SnapshotSessions) => Promise<T>,
): Promise<T> {
  return await run.session('target', database, async (target) => {
    for (let interval = POLL_INTERVAL.first; ; interval = Math.min(2 * interval, POLL_INTERVAL.last)) {
      const result = await settled?.(target);
      if (result !== undefined) return result;
      const scope = await currentScope(target, run.identity, of);
      if (scope === undefined) {
        run.progress({ what: 'waiting for a snapshot of the source' });
        await pause(interval, undefined, { signal: run.signal });
        continue;
      }
      try {
        return await run.session('source', database, async (source) => {
          await importScope(source, scope);
          return await work({ source, target, scope });
        });
      } catch (error) {
        if (!(error instanceof FlexliftError) || error.code !== 'SnapshotLost') throw error;
        await pause(LOST_INTERVAL, undefined, { signal: run.signal });
      }
    }
  });
}

/** Runs `work` with a session on each side; all that the source's shows is of one moment, whichever that is. */
export async function withAnySnapshot<T>(
  run: Run,
  database: string,
  work: (sessions: { source: Client; target: Client }) => Promise<T>,
): Promise<T> {
  return await run.sessions(database, (source, target) => inSnapshot(source, () => work({ source, target })));
}
