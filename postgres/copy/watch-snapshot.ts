import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { contendedTables } from './lock-tables';
import { snapshotLost } from './scope';
import type { SourceTable } from './source-tables';

/** Milliseconds. */
const WATCH_INTERVAL = 1_000;
/** A session that has not answered for so long is given up, milliseconds. */
const WATCH_TIMEOUT = 60_000;

/**
 * Looks once a second after the session that holds locks and snapshot, until the signal fires. Tables that somebody waits
 * to lock exclusively are handed to `copyContended`, each once. Returns only where then nothing is left to copy.
 *
 * @throws FlexliftError SnapshotLost where the session is gone; the signal's reason when it fires
 */
export async function watchSnapshot(args: {
  holder: Client;
  tables: SourceTable[];
  copyContended: (tables: SourceTable[]) => Promise<'all-copied' | 'more-to-copy'>;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}): Promise<void> {
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
    if (contended.length > 0 && (await args.copyContended(contended)) === 'all-copied') return;
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
