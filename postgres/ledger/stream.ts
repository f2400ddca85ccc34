import type { Client } from 'pg';

/** The target's user may set `session_replication_role`, as it was found when the source was prepared. */
export async function isReplicaRoleAllowed(target: Client): Promise<boolean> {
  const { rows } = await target.query<{ replica_role: boolean }>('SELECT replica_role FROM flexlift.stream');
  return rows[0]?.replica_role ?? false;
}
