import { sourceObjectPrefix } from '../../../contract';
import { migrationPrefix } from '../../connect';
import { failed, type Rule, type ServerContext, type Verdict } from '../rule';

interface Capacity {
  slots: number;
  senders: number;
  freeSlots: number;
  freeSenders: number;
}

/** What this migration has already is not counted against it: validation runs again before the cutover. */
export const replicationCapacity: Rule<ServerContext> = {
  id: 'replication-capacity',
  mode: 'Online',
  holds: 'The source has enough free replication slots and WAL senders.',
  async check({ request, source: { client }, databases }) {
    const { rows } = await client.query<Capacity>(
      `SELECT slots, senders,
              slots - (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_replication_slots
                        WHERE NOT pg_catalog.starts_with(slot_name::text, $1)) AS "freeSlots",
              senders - (SELECT pg_catalog.count(*)::integer
                           FROM pg_catalog.pg_stat_get_wal_senders() AS s
                           LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.pid
                          WHERE pg_catalog.starts_with(a.application_name, $2) IS NOT TRUE) AS "freeSenders"
         FROM (SELECT pg_catalog.current_setting('max_replication_slots')::integer AS slots,
                      pg_catalog.current_setting('max_wal_senders')::integer AS senders) AS limits`,
      [sourceObjectPrefix(request.migrationId), migrationPrefix(request.migrationId)],
    );
    const capacity = rows[0] ?? { slots: 0, senders: 0, freeSlots: 0, freeSenders: 0 };
    // a slot and a reader for each database until its cutover, others for the snapshots of those being loaded
    const atOnce = Math.min(request.limits.databasesAtOnce, databases.length);
    return [
      ...enough('replication slots', 'max_replication_slots', capacity.freeSlots, databases.length + 1),
      ...enough('WAL senders', 'max_wal_senders', capacity.freeSenders, databases.length + atOnce),
    ];
  },
};

function enough(what: string, setting: string, free: number, needed: number): Verdict[] {
  if (free >= needed) return [];
  return [
    failed(
      `The source has ${Math.max(free, 0)} free ${what}; this migration takes ${needed}.`,
      `Raise ${setting} on the source by ${needed - Math.max(free, 0)} or more and restart it, drop what nothing uses, or migrate fewer databases at a time.`,
    ),
  ];
}
