import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { quoteIdentifier, serverName, withConnection, type Endpoint } from '../../connect';
import { parseLsn, type Lsn } from '../lsn';
import { identifySystem } from './identify-system';
import { replicationFailure } from './stream-failure';

export interface ExactSnapshot {
  /** For `SET TRANSACTION SNAPSHOT`. */
  name: string;
  /** It holds exactly the transactions whose commit record begins before it. */
  lsn: Lsn;
  /** Of the server's WAL. */
  timeline: number;
}

export interface ExactSnapshotArguments {
  endpoint: Endpoint;
  database: string;
  signal: AbortSignal;
  /** Of the temporary slot; free again afterwards. */
  slotName: string;
}

/**
 * A snapshot of the database at an exact position of its WAL. It can be imported while `work` runs, and whoever has
 * imported it keeps it. Making it waits for all transactions that are writing, anywhere on the server.
 *
 * @throws FlexliftError ResourceExhausted where no replication slot is free, Contention where `slotName` is still held;
 * what `work` throws; the signal's reason
 */
export async function withExactSnapshot<T>(
  { endpoint, database, signal, slotName }: ExactSnapshotArguments,
  work: (snapshot: ExactSnapshot) => Promise<T>,
): Promise<T> {
  const place = { side: endpoint.side, server: serverName(endpoint.address), database };
  let made = false;
  const makeAndWork = async (client: Client) => {
    const snapshot = await createSnapshot(client, slotName);
    made = true;
    return await work(snapshot);
  };
  try {
    return await withConnection(endpoint, database, signal, makeAndWork, { replication: true });
  } catch (error) {
    signal.throwIfAborted();
    throw made ? error : replicationFailure(error, place);
  }
}

/** The next command on the connection would end the snapshot, the connection's end drops the slot. */
async function createSnapshot(client: Client, slotName: string): Promise<ExactSnapshot> {
  const { timeline } = await identifySystem(client);
  // the option's older form, which all majors take
  const command = `CREATE_REPLICATION_SLOT ${quoteIdentifier(slotName)} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`;
  try {
    const { rows } = await client.query<{ consistent_point: string; snapshot_name: string }>(command);
    const slot = rows[0];
    if (slot === undefined) throw new Error('CREATE_REPLICATION_SLOT returned nothing');
    return { name: slot.snapshot_name, lsn: parseLsn(slot.consistent_point), timeline };
  } catch (error) {
    throw error instanceof DatabaseError && error.code === '42710' ? slotHeld(slotName, error) : error;
  }
}

function slotHeld(slotName: string, cause: DatabaseError): FlexliftError {
  return new FlexliftError(
    {
      code: 'Contention',
      sentence: `The replication slot ${slotName} is still held by an earlier attempt.`,
      remedy: 'Nothing to do: it is tried again.',
      side: 'source',
      sqlState: cause.code,
    },
    { cause },
  );
}
