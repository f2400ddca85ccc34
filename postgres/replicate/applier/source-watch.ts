import type { Client } from 'pg';
import { FlexliftError, type Difference } from '../../../contract';
import { systemIdentifier } from '../../catalog';
import { withConnection, type Endpoint } from '../../connect';
import { parseLsn, type Lsn } from '../lsn';
import { Bell } from './bell';
import type { StreamRow } from './ledger-position';
import { checkSystem } from './same-system';
import { readSlot, type SlotState } from './watched-slot';

/** Milliseconds. */
const BETWEEN_POSITIONS = 1_000;

export interface SourceWatchArguments {
  endpoint: Endpoint;
  database: string;
  stream: Pick<StreamRow, 'slot' | 'systemIdentifier'>;
  /** Between two looks at the slot; milliseconds. */
  interval: number;
  onWatch?: (source: Client) => Promise<Difference[]>;
  /** How far the source's WAL is flushed; about once a second. */
  onPosition: (flushed: Lsn) => void;
  onSlot: (slot: SlotState) => void;
  onDrift: (drift: Difference[]) => void;
  signal: AbortSignal;
}

/**
 * Looks at the source on a session of its own until the signal fires. Where that fails, the applying goes on and the
 * session is opened again.
 *
 * @throws FlexliftError SlotLost, SourceRewound
 */
export async function watchSource(args: SourceWatchArguments): Promise<void> {
  const bell = new Bell();
  args.signal.addEventListener('abort', bell.ring, { once: true });
  while (!args.signal.aborted) {
    try {
      await withConnection(args.endpoint, args.database, args.signal, (source) =>
        watchOn(source, args, bell),
      );
    } catch (error) {
      if (error instanceof FlexliftError && ['SlotLost', 'SourceRewound'].includes(error.code)) throw error;
    }
    if (!args.signal.aborted) await bell.heard(BETWEEN_POSITIONS);
  }
}

async function watchOn(source: Client, args: SourceWatchArguments, bell: Bell): Promise<void> {
  // on another server there is no slot, and that it is lost would be said of the right one
  checkSystem(args.stream, await systemIdentifier(source));
  let nextSlot = 0;
  while (!args.signal.aborted) {
    const now = performance.now();
    await reportPosition(source, args);
    if (now >= nextSlot) {
      nextSlot = now + args.interval;
      args.onSlot(await readSlot(source, args.stream.slot));
      if (args.onWatch !== undefined) args.onDrift(await args.onWatch(source));
    }
    await bell.heard(Math.min(BETWEEN_POSITIONS, args.interval));
  }
}

async function reportPosition(source: Client, { onPosition }: SourceWatchArguments): Promise<void> {
  const { rows } = await source.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_flush_lsn() AS lsn');
  if (rows[0] !== undefined) onPosition(parseLsn(rows[0].lsn));
}
