import { warning, type Rule, type ServerContext, type Verdict } from '../rule';

/** WAL that a slot may need during a migration's load, whatever the size of its databases. Bytes. */
const SMALL_RETENTION = 1024 ** 3;

/** What makes a server give up a slot. */
export const walRetention: Rule<ServerContext> = {
  id: 'wal-retention',
  mode: 'Online',
  holds: 'The source keeps the WAL of a slot for as long as it takes.',
  async check({ source: { client }, databases }) {
    const { rows } = await client.query<{
      limit: string | null;
      limitText: string | null;
      sizeText: string | null;
      isSmall: boolean | null;
      idle: string | null;
    }>(
      `SELECT retention.bytes AS limit, pg_catalog.pg_size_pretty(retention.bytes) AS "limitText",
              pg_catalog.pg_size_pretty(size.bytes) AS "sizeText",
              retention.bytes < GREATEST(size.bytes, $2) AS "isSmall", idle.value AS idle
         FROM (SELECT pg_catalog.sum(pg_catalog.pg_database_size(oid))::int8 AS bytes
                 FROM pg_catalog.pg_database
                WHERE datname = ANY ($1) AND pg_catalog.has_database_privilege(oid, 'CONNECT')) AS size
         -- from 13 on, in megabytes
         LEFT JOIN (SELECT setting::int8 * 1024 * 1024 AS bytes FROM pg_catalog.pg_settings
                     WHERE name = 'max_slot_wal_keep_size' AND setting <> '-1') AS retention ON true
         -- from 18 on
         LEFT JOIN (SELECT pg_catalog.current_setting(name) AS value FROM pg_catalog.pg_settings
                     WHERE name = 'idle_replication_slot_timeout' AND setting <> '0') AS idle ON true`,
      [databases, SMALL_RETENTION],
    );
    const [found] = rows;
    const verdicts: Verdict[] = [];
    if (found?.isSmall === true) {
      verdicts.push(
        warning(
          `The source keeps no more than ${found.limitText} of WAL for a slot, with databases of ${found.sizeText}: what is written during the load may exceed it, and the slot would be lost.`,
          'Raise max_slot_wal_keep_size on the source, or set it to -1 until the migration has ended.',
        ),
      );
    }
    if (found !== undefined && found.idle !== null) {
      verdicts.push(
        warning(
          `The source gives up a slot that nobody has read for ${found.idle}, and ours is read from the end of the load on.`,
          'Set idle_replication_slot_timeout to 0 on the source until the migration has ended.',
        ),
      );
    }
    return verdicts;
  },
};
