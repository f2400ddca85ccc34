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
  tables: number;
  /** Of max_locks_per_transaction. */
  perTransaction: number;
  /** Locks that the whole server holds at most. */
  locks: number;
}

/**
 * pg_dump locks every table, and so does whoever holds the snapshot of an offline load: of the same objects, for which
 * the server has twice the room. https://www.postgresql.org/docs/current/runtime-config-locks.html
 */
export const roomForLocks: Rule<DatabaseContext> = {
  id: 'room-for-locks',
  holds: 'The source has room for locks on all tables of the database.',
  async check({ sourceClient }) {
    const { rows } = await sourceClient.query<RoomForLocks>(
      `WITH ${SOURCE_TABLES}
       SELECT (SELECT pg_catalog.count(*)::integer FROM tables) AS tables,
              per_transaction AS "perTransaction", per_transaction * transactions AS locks
         FROM (SELECT pg_catalog.current_setting('max_locks_per_transaction')::integer AS per_transaction,
                      pg_catalog.current_setting('max_connections')::integer
                      + pg_catalog.current_setting('max_prepared_transactions')::integer
                      + pg_catalog.current_setting('autovacuum_max_workers')::integer
                      + pg_catalog.current_setting('max_worker_processes')::integer
                      + pg_catalog.current_setting('max_wal_senders')::integer AS transactions) AS settings`,
    );
    return rows.flatMap(lackOfRoom);
  },
};

export function lackOfRoom({ tables, perTransaction, locks }: RoomForLocks): Verdict[] {
  if (tables <= locks * CROWDED) return [];
  const enough = Math.ceil((perTransaction * tables) / (locks * CROWDED));
  const say = tables > locks * MORE_THAN_PROMISED ? failed : warning;
  return [
    say(
      `The source has room for about ${locks} locks, and the database has ${tables} tables: each is locked while it is dumped and copied.`,
      `Set max_locks_per_transaction on the source to ${enough} or more and restart it.`,
    ),
  ];
}
