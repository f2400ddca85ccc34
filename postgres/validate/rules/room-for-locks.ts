import { SOURCE_TABLES } from '../../copy';
import { failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

/**
 * Where the server's memory is allotted, some more locks fit than it promises, in room that others may need. See
 * NLOCKENTS and LockShmemSize in src/backend/storage/lmgr/lock.c.
 */
const MORE_THAN_PROMISED = 1.1;
/** Of the promised, in use before anybody should know. */
const CROWDED = 0.8;

export interface RoomForLocks {
  /** All that is locked at once. */
  objects: number;
  tables: number;
  /** Of max_locks_per_transaction. */
  perTransaction: number;
  /** Locks that the whole server holds at most. */
  locks: number;
}

/**
 * pg_dump locks every table, and so does whoever holds the snapshot of an offline load: of the same objects, for which
 * the server has twice the room. A checksum locks its table's indexes, too, as long as the group's snapshot is held.
 * Of several databases each is looked at by itself. https://www.postgresql.org/docs/current/runtime-config-locks.html
 */
export const roomForLocks: Rule<DatabaseContext> = {
  id: 'room-for-locks',
  holds: 'The source has room for locks on all tables of the database.',
  async check({ request: { mode, compare, limits }, source, sourceClient }) {
    const { rows } = await sourceClient.query<Omit<RoomForLocks, 'objects'> & { indexes: number }>(
      `WITH ${SOURCE_TABLES}
       SELECT counted.tables, counted.indexes, per_transaction AS "perTransaction",
              per_transaction * transactions AS locks
         FROM (SELECT (SELECT pg_catalog.count(*)::integer FROM tables)
                      + (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_class WHERE relkind = 'p') AS tables,
                      (SELECT pg_catalog.count(*)::integer
                         FROM pg_catalog.pg_index JOIN tables ON tables.oid = indrelid) AS indexes) AS counted,
              (SELECT pg_catalog.current_setting('max_locks_per_transaction')::integer AS per_transaction,
                      (SELECT pg_catalog.sum(pg_catalog.current_setting(name)::integer)::integer
                         FROM pg_catalog.unnest($1::pg_catalog.text[]) AS name) AS transactions) AS settings`,
      [transactionSettings(source.version.major)],
    );
    const [room] = rows;
    if (room === undefined) return [];
    const summed = mode === 'Offline' && compare ? limits.groupTables * limits.copiesAtOnce : 0;
    const share = Math.min(1, summed / Math.max(1, room.tables));
    return lackOfRoom({ ...room, objects: room.tables + Math.ceil(room.indexes * share) });
  },
};

/** Each may be a transaction that holds locks. See InitializeMaxBackends in src/backend/utils/init/postinit.c. */
function transactionSettings(major: number): string[] {
  return [
    'max_connections',
    'max_prepared_transactions',
    'max_worker_processes',
    major >= 18 ? 'autovacuum_worker_slots' : 'autovacuum_max_workers',
    // among the connections before
    ...(major >= 12 ? ['max_wal_senders'] : []),
  ];
}

export function lackOfRoom({ objects, tables, perTransaction, locks }: RoomForLocks): Verdict[] {
  if (objects <= locks * CROWDED) return [];
  const enough = Math.ceil((perTransaction * objects) / (locks * CROWDED));
  const say = objects > locks * MORE_THAN_PROMISED ? failed : warning;
  return [
    say(
      `The source has room for about ${locks} locks, and the database has ${tables} tables: each is locked while it is dumped and copied.`,
      `Set max_locks_per_transaction on the source to ${enough} or more and restart it.`,
    ),
  ];
}
