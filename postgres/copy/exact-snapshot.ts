import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { sourceObjectPrefix } from '../../contract';
import { oldestWriter } from '../catalog';
import { quoteLiteral, quoteQualified, withConnection, type Endpoint } from '../connect';
import type { Lsn } from '../replicate/lsn';
import { withExactSnapshot } from '../replicate/pgoutput';
import { contendedTables, lockSourceTables } from './lock-tables';
import { refuseDrift } from './reconcile';
import { exportSnapshot } from './scope';
import { differingTables, type SourceTable } from './source-tables';

/** How often the locked tables are looked at while the snapshot is waited for, milliseconds. */
const CONTENTION_INTERVAL = 250;

export interface LockAndSnapshotArguments {
  /** The session that will hold locks and snapshot; not in a transaction. */
  holder: Client;
  /** For the sessions beside it. */
  source: Endpoint;
  database: string;
  migrationId: string;
  /** As the load planned them. */
  tables: { oid: number; schema: string; name: string }[];
  /** How long one table is waited for before the next attempt at all of them, milliseconds. */
  lockTimeout: number;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}

export interface LockedSnapshot {
  tables: SourceTable[];
  /** What `pg_export_snapshot` said in the holder's session. */
  snapshot: string;
  /** Exactly the commits before it are in the snapshot. */
  lsn: Lsn;
  /** Of the source's WAL. */
  timeline: number;
}

/**
 * Takes ACCESS SHARE on the tables and then a snapshot at an exact LSN, both held by one session; the transaction stays
 * open. Lock before snapshot, or a TRUNCATE or a rewrite between two parts duplicates and loses rows.
 *
 * The snapshot waits for every transaction that is writing, and one of these may wait for our lock: a deadlock that the
 * server cannot see. So whoever waits to lock one of the tables exclusively gets it, and all begins anew.
 *
 * @throws FlexliftError SchemaDrift where a table was dropped or renamed since it was planned
 */
export async function lockAndSnapshot(args: LockAndSnapshotArguments): Promise<LockedSnapshot> {
  const oids = args.tables.map((table) => table.oid);
  for (;;) {
    const tables = await lockSourceTables({ ...args, client: args.holder, oids });
    refuseDrift(differingTables(args.tables, tables));
    const exact = await snapshotUnlessContended(args, tables);
    if (exact !== undefined) return { tables, ...exact };
    await args.holder.query('ROLLBACK');
  }
}

const CONTENDED = new Error('somebody waits for an exclusive lock');

/** @returns `undefined` where somebody waits to lock one of the tables exclusively. */
async function snapshotUnlessContended(
  args: LockAndSnapshotArguments,
  tables: SourceTable[],
): Promise<Omit<LockedSnapshot, 'tables'> | undefined> {
  const { holder, source: endpoint, database, migrationId, signal } = args;
  const over = new AbortController();
  const giveUp = new AbortController();
  const watching = untilContended(args, tables, AbortSignal.any([signal, over.signal])).then(
    () => giveUp.abort(CONTENDED),
    (error: unknown) => giveUp.abort(error),
  );
  const slotName = `${sourceObjectPrefix(migrationId)}_copy_${randomBytes(4).toString('hex')}`;
  try {
    return await withExactSnapshot(
      { endpoint, database, signal: AbortSignal.any([signal, giveUp.signal]), slotName },
      async ({ name, lsn, timeline }) => {
        await holder.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(name)}`);
        return { snapshot: await exportSnapshot(holder), lsn, timeline };
      },
    );
  } catch (error) {
    signal.throwIfAborted();
    if (giveUp.signal.reason !== CONTENDED) throw error;
    return undefined;
  } finally {
    over.abort(new Error('the snapshot is taken'));
    await watching;
  }
}

/** In a session of its own: the holder must not have a snapshot yet. */
async function untilContended(
  { source, database, onProgress }: LockAndSnapshotArguments,
  tables: SourceTable[],
  signal: AbortSignal,
): Promise<void> {
  await withConnection(source, database, signal, async (client) => {
    for (;;) {
      const [contended] = await contendedTables(client, tables);
      if (contended !== undefined) {
        onProgress(`making way for an exclusive lock on ${quoteQualified(contended.schema, contended.name)}`);
        return;
      }
      const writer = await oldestWriter(client);
      onProgress(`taking a snapshot${writer === undefined ? '' : `, when ${writer}, has ended`}`);
      await pause(CONTENTION_INTERVAL, undefined, { signal });
    }
  });
}
