import { hostCpus } from '../catalog';
import type { ServerSide } from './rule';

/** What of a server says how much it can do at a time. */
export interface ServerSize {
  /** Absent where the user may not know: a managed server's never does. */
  cpus?: number;
  /** What `max_connections` and the role's own limit leave; our own sessions of now will be free by then. */
  freeConnections: number;
  /** Servers that are seen to receive its WAL: read replicas, and the second server of high availability. */
  standbys: number;
}

export async function serverSize(side: ServerSide): Promise<ServerSize> {
  return {
    cpus: await hostCpus(side.client),
    freeConnections: await freeConnections(side),
    standbys: await standbys(side),
  };
}

/** A session that replicates logically is in a database; who takes a backup or archives WAL replays none. */
async function standbys({ client }: ServerSide): Promise<number> {
  const { rows } = await client.query<{ standbys: number }>(
    `SELECT pg_catalog.count(*)::integer AS standbys
       FROM pg_catalog.pg_stat_replication r
       JOIN pg_catalog.pg_stat_activity a ON a.pid = r.pid AND a.datid IS NULL
      WHERE r.application_name NOT IN ('pg_basebackup', 'pg_receivewal', 'barman_receive_wal')`,
  );
  return rows[0]?.standbys ?? 0;
}

async function freeConnections({ client, user }: ServerSide): Promise<number> {
  const { rows } = await client.query<{ free: number }>(
    `WITH session AS (SELECT usesysid, application_name FROM pg_catalog.pg_stat_activity
                       WHERE usesysid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid())
     SELECT LEAST(
              limits.total - (SELECT pg_catalog.count(*) FROM session),
              CASE WHEN me.rolconnlimit >= 0 AND NOT me.rolsuper
                   THEN me.rolconnlimit - (SELECT pg_catalog.count(*) FROM session WHERE usesysid = me.oid)
              END)::integer AS free
       FROM pg_catalog.pg_roles me,
            (SELECT pg_catalog.sum(setting::integer *
                      CASE WHEN name = 'max_connections' THEN 1 WHEN $2 THEN 0 ELSE -1 END) AS total
               FROM pg_catalog.pg_settings
              WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
            ) AS limits
      WHERE me.rolname = $1`,
    [user.name, user.superuser],
  );
  return rows[0]?.free ?? 0;
}
