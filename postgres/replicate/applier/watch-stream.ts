import type { Client } from 'pg';
import type { Difference, ReplicationProgress } from '../../../contract';
import { withConnection, type Endpoint } from '../../connect';
import { parseLsn } from '../lsn';
import { slotName } from '../source';
import { Bell } from './bell';
import { readStream, type StreamRow } from './ledger-position';
import { ReplicationMeter } from './replication-meter';
import { startSource } from './source-start';
import { watchSource } from './source-watch';
import { tablesOverview } from './table-states';

/** Milliseconds. */
const BETWEEN_REPORTS = 1_000;

export interface WatchArguments {
  source: Endpoint;
  target: Endpoint;
  database: string;
  migrationId: string;
  predecessorPrefix: string;
  /** What was known when the applying ended: all there is while the target cannot be reached. */
  known?: ReplicationProgress;
  /** How often the slot is looked at, and `onWatch` called. Milliseconds. */
  watchInterval: number;
  onWatch?: (source: Client) => Promise<Difference[]>;
  /** About once a second. */
  onProgress?: (progress: ReplicationProgress) => void;
  stop: AbortSignal;
}

/**
 * Watches the source while nothing is applied, until it is told to stop: how far the target is behind, what the source
 * keeps for it, and whether it still does. The target may be away meanwhile: that may be why nothing is applied.
 *
 * @throws FlexliftError SlotLost, SourceRewound, and what the source or, where nothing is known yet, the target throws at
 * the beginning
 */
export async function watchStream(args: WatchArguments): Promise<ReplicationProgress> {
  const { source, database, known, stop } = args;
  const stream = await lastPosition(args);
  const start = await withConnection(source, database, stop, (client) => startSource(client, args, []));
  const meter = new ReplicationMeter(stream);
  if (known !== undefined) {
    meter.overview = { stopped: known.stoppedTables, isRecopying: false, proven: known.proven };
  }
  meter.clockOffset = start.clockOffset;
  meter.sourceStarts(start.flushLsn);
  const ending = new AbortController();
  const signal = AbortSignal.any([stop, ending.signal]);
  const reports = report(args, meter, signal);
  try {
    await watchSource({
      endpoint: source,
      database,
      stream,
      interval: args.watchInterval,
      onWatch: args.onWatch,
      onPosition: (flushed) => meter.sourceEnds(flushed),
      onSlot: (slot) => meter.slotSeen(slot),
      onDrift: (drift) => (meter.drift = drift),
      signal: stop,
    });
  } finally {
    ending.abort();
    await reports;
  }
  return meter.progress();
}

async function lastPosition({ target, database, known, stop, ...args }: WatchArguments): Promise<StreamRow> {
  try {
    return await withConnection(target, database, stop, readStream);
  } catch (error) {
    if (known === undefined || stop.aborted) throw error;
    return {
      slot: slotName(args.migrationId, database),
      systemIdentifier: '',
      lsn: parseLsn(known.lsn),
      held: [],
      commitTime: Date.now() - known.lagSeconds * 1_000,
      counts: known.changes,
      replicaRole: false,
      drift: known.drift,
    };
  }
}

/** A table may be copied anew meanwhile. */
async function report(
  { target, database, onProgress }: WatchArguments,
  meter: ReplicationMeter,
  signal: AbortSignal,
): Promise<void> {
  const bell = new Bell();
  signal.addEventListener('abort', bell.ring, { once: true });
  const timer = setInterval(() => onProgress?.(meter.progress()), BETWEEN_REPORTS);
  try {
    while (!signal.aborted) {
      try {
        await withConnection(target, database, signal, async (client) => {
          while (!signal.aborted) {
            meter.overview = await tablesOverview(client);
            await bell.heard(BETWEEN_REPORTS);
          }
        });
      } catch {
        await bell.heard(BETWEEN_REPORTS);
      }
    }
  } finally {
    clearInterval(timer);
  }
}
