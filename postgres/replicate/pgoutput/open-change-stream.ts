import type { Client } from 'pg';
import type { FailurePlace } from '../../../contract';
import {
  applySessionSettings,
  open,
  quoteIdentifier,
  serverName,
  socketOf,
  type Endpoint,
} from '../../connect';
import { formatLsn, type Lsn } from '../lsn';
import type { ChangeStream } from './change-stream';
import { identifySource, type KnownSource } from './identify-source';
import { isDecoding, makeSlotReady } from './make-slot-ready';
import { SlotStream } from './slot-stream';
import { streamFailure } from './stream-failure';

const MOST_BYTES_WAITING = 8 * 1024 ** 2;

/** Milliseconds; a server whose wal_sender_timeout is short is told more often. */
const STATUS_INTERVAL = 10_000;
const SILENCE = 60_000;

/** The first major whose pgoutput sends logical messages. */
export const FIRST_MAJOR_WITH_MESSAGES = 14;

export interface ChangeStreamArguments {
  /** An ordinary session in the database, for looking at the slot; of `withConnection`, which tells what ends it. */
  session: Client;
  endpoint: Endpoint;
  database: string;
  slot: string;
  publications: string[];
  /** The ledger's position: events of transactions whose commit record begins before it are not sent. */
  from: Lsn;
  /** Whose position that is. Absent: of whatever server answers. */
  known?: KnownSource;
  signal: AbortSignal;
  /** A session that holds the slot and whose application name begins so is ended first; see `workPrefix`. */
  predecessorPrefix?: string;
  /** The socket stands still while more bytes than these wait to be read; default 8 MB. */
  bufferBytes?: number;
  /** Milliseconds without a byte, though the server was asked, after which it counts as unreachable; default 60 s. */
  silence?: number;
}

/**
 * Opens the slot and reads it from `from` on. Nothing is confirmed but what the caller confirms. The values come in the
 * text our session settings prescribe, in UTF-8 whatever the database's encoding; of an SQL_ASCII database as it is stored.
 *
 * @throws FlexliftError SlotLost (slot, its WAL or a publication is gone), TargetRewound, SourceRewound, Contention
 * (somebody else holds the slot), Unreachable…
 */
export async function openChangeStream(args: ChangeStreamArguments): Promise<ChangeStream> {
  const { endpoint, database, session, signal } = args;
  const place = { side: endpoint.side, server: serverName(endpoint.address), database };
  await makeSlotReady(session, args, place);
  let client: Client | undefined;
  const stop = () => {
    if (client !== undefined) socketOf(client).destroy();
  };
  signal.addEventListener('abort', stop);
  try {
    client = await open(endpoint, database, { replication: true });
    signal.throwIfAborted();
    return await start(client, args, place);
  } catch (error) {
    await client?.end().catch(() => undefined);
    signal.throwIfAborted();
    throw streamFailure(error, place);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function start(
  client: Client,
  args: ChangeStreamArguments,
  place: FailurePlace,
): Promise<ChangeStream> {
  const { endpoint, database, from, signal } = args;
  const { version, timeout, pid } = await prepareSession(client, endpoint);
  const timeline = await identifySource(client, args, place);
  const stream = new SlotStream({
    command: startCommand(args, version),
    from,
    timeline,
    place,
    signal,
    bufferBytes: args.bufferBytes ?? MOST_BYTES_WAITING,
    interval: timeout > 0 ? Math.min(STATUS_INTERVAL, timeout / 3) : STATUS_INTERVAL,
    silence: args.silence ?? SILENCE,
    isDecoding: () => isDecoding(endpoint, database, pid, signal),
  });
  client.query(stream);
  try {
    await stream.start();
    return stream;
  } catch (error) {
    await stream.close();
    throw error;
  }
}

async function prepareSession(
  client: Client,
  endpoint: Endpoint,
): Promise<{ version: number; timeout: number; pid: number }> {
  await applySessionSettings(client, endpoint.side);
  // a warning is all that says that a publication was left out
  await client.query('SET client_min_messages TO warning');
  // bytes that no encoding is known of could be refused as UTF-8
  await client.query(
    `SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', false)
      WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'`,
  );
  const { rows } = await client.query<{ version: number; timeout: number; pid: number }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS version, pg_catalog.pg_backend_pid() AS pid,
            (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout') AS timeout`,
  );
  return rows[0] ?? { version: 0, timeout: 0, pid: 0 };
}

function startCommand({ slot, publications, from }: ChangeStreamArguments, version: number): string {
  const options = [
    `"proto_version" '1'`,
    `"publication_names" ${replicationLiteral(publications.map(quoteIdentifier).join(','))}`,
    ...(version >= FIRST_MAJOR_WITH_MESSAGES * 10_000 ? [`"messages" 'true'`] : []),
  ];
  return `START_REPLICATION SLOT ${quoteIdentifier(slot)} LOGICAL ${formatLsn(from)} (${options.join(', ')})`;
}

/** The grammar of replication commands knows no E'' strings; a backslash in it means itself. */
function replicationLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
