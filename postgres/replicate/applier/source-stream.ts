import { setImmediate } from 'node:timers/promises';
import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { withConnection, type Endpoint } from '../../connect';
import type { LedgerIdentity } from '../../ledger';
import { openChangeStream, type ChangeStream } from '../pgoutput';
import type { StreamRow } from './ledger-position';
import { MarkerTable } from './marker';
import type { ReplicationMeter } from './replication-meter';
import { startSource } from './source-start';
import { watchSource } from './source-watch';
import type { StreamTable } from './table-states';
import { TransactionBuffer } from './transaction-buffer';

export interface SourceStreamArguments {
  source: Endpoint;
  database: string;
  identity: LedgerIdentity;
  predecessorPrefix: string;
  watchInterval: number;
  onWatch?: (source: Client) => Promise<Difference[]>;
  signal: AbortSignal;
  /** Where to start. */
  stream: StreamRow;
  tables: ReadonlyMap<number, StreamTable>;
  /** Learns how far the source is, and what its slot keeps. */
  meter: ReplicationMeter;
}

/** How long one read of the stream waits; milliseconds. */
const READ_WAIT = 1_000;

/**
 * Opens the stream where the ledger stands, reads it into a buffer and watches the source beside, for as long as `work`
 * runs. What ends the reading meets `work` in the buffer; a slot that the watch finds lost ends it at once.
 *
 * @throws FlexliftError SlotLost, TargetRewound, SourceRewound, Contention, and what the source throws
 */
export async function withSourceStream<T>(
  args: SourceStreamArguments,
  work: (stream: ChangeStream, buffer: TransactionBuffer) => Promise<T>,
): Promise<T> {
  const { source, database, identity, meter, predecessorPrefix } = args;
  const stream = await withConnection(source, database, args.signal, async (session) => {
    const wanted = { migrationId: identity.migrationId, predecessorPrefix };
    const start = await startSource(session, wanted, args.tables.values());
    meter.clockOffset = start.clockOffset;
    meter.sourceStarts(start.flushLsn);
    return await openChangeStream({
      session,
      endpoint: source,
      database,
      slot: args.stream.slot,
      publications: start.publications,
      from: args.stream.lsn,
      known: args.stream,
      predecessorPrefix,
      silence: source.silence,
      signal: args.signal,
    });
  });
  const buffer = new TransactionBuffer(new MarkerTable(identity.migrationId));
  const ending = new AbortController();
  const signal = AbortSignal.any([args.signal, ending.signal]);
  const background: Promise<void>[] = [];
  try {
    const watching = watch(args, signal);
    background.push(
      fill(buffer, stream, signal),
      watching.catch(() => undefined),
    );
    // a batch that waits for a lock on the target would not see it in the buffer
    return await Promise.race([
      work(stream, buffer),
      watching.then(() => new Promise<never>(() => undefined)),
    ]);
  } finally {
    ending.abort();
    await stream.close();
    await Promise.all(background);
  }
}

async function fill(buffer: TransactionBuffer, stream: ChangeStream, signal: AbortSignal): Promise<void> {
  try {
    while (!signal.aborted) {
      buffer.add(await stream.read(READ_WAIT));
      await buffer.room(signal);
      // else the target's answers would wait until all that was received is decoded
      await setImmediate();
    }
  } catch (error) {
    buffer.fail(error);
  }
}

async function watch(args: SourceStreamArguments, signal: AbortSignal): Promise<void> {
  const { meter } = args;
  await watchSource({
    endpoint: args.source,
    database: args.database,
    stream: args.stream,
    interval: args.watchInterval,
    onWatch: args.onWatch,
    onPosition: (flushed) => meter.sourceEnds(flushed),
    onSlot: (slot) => meter.slotSeen(slot),
    onDrift: (drift) => (meter.drift = drift),
    signal,
  });
}
