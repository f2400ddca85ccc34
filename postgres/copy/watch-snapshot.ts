import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import type { Endpoint } from '../connect';
import { contendedTables } from './lock-tables';
import { isScopeComplete, snapshotLost, type Scope } from './scope';
import type { SourceTable } from './source-tables';
import { untilTargetSays } from './until-target-says';

/** Milliseconds. */
const WATCH_INTERVAL = 1_000;
/** A session that has not answered for so long is given up, milliseconds. */
const WATCH_TIMEOUT = 60_000;

export interface WatchSnapshotArguments {
  holder: Client;
  tables: SourceTable[];
  target: Endpoint;
  database: string;
  scope: Scope;
  copyContended: (tables: SourceTable[], signal: AbortSignal) => Promise<'all-copied' | 'more-to-copy'>;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}

/**
 * Looks after the session that holds locks and snapshot, and now and then at the ledger, until nothing more is copied under
 * its scope. Tables that somebody waits to lock exclusively are handed to `copyContended`, each once.
 *
 * @throws FlexliftError SnapshotLost where the session is gone, the scope was given up, or the ledger knows it no more: the
 *   target's server failed over, and lost the commit that opened it; the signal's reason when it fires
 */
export async function watchSnapshot(args: WatchSnapshotArguments): Promise<void> {
  const { scope } = args;
  const over = new AbortController();
  const signal = AbortSignal.any([args.signal, over.signal]);
  const session = watchSession({ ...args, signal });
  const ledger = untilTargetSays({ ...args, signal }, (target) => isScopeComplete(target, scope));
  try {
    await Promise.race([session, ledger]);
  } finally {
    over.abort(new Error('the snapshot is needed no more'));
    // not the look at the ledger: the target may be silent
    await session.catch(() => undefined);
  }
}

/** Once a second. Returns only where `copyContended` left nothing to copy. */
async function watchSession(args: WatchSnapshotArguments): Promise<void> {
  const { holder, tables, signal, onProgress } = args;
  const finished = new Set<number>();
  for (;;) {
    signal.throwIfAborted();
    onProgress(`holding the snapshot of ${tables.length === 1 ? 'a table' : `${tables.length} tables`}`);
    const contended = await answerOf(
      contendedTables(
        holder,
        tables.filter((table) => !finished.has(table.oid)),
      ),
      signal,
    );
    if (contended.length > 0 && (await args.copyContended(contended, signal)) === 'all-copied') return;
    for (const table of contended) finished.add(table.oid);
    await pause(WATCH_INTERVAL, undefined, { signal });
  }
}

/** @throws FlexliftError SnapshotLost where the session is gone or silent */
async function answerOf<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const deadline = new AbortController();
  const silence = pause(WATCH_TIMEOUT, undefined, { signal: deadline.signal }).then(
    () => Promise.reject(new Error('no answer')),
    () => Promise.reject(new Error('answered')),
  );
  silence.catch(() => undefined);
  try {
    return await Promise.race([answer, silence]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof FlexliftError) throw error;
    throw snapshotLost('The session that held the locks and the snapshot is gone.', error);
  } finally {
    deadline.abort();
  }
}
