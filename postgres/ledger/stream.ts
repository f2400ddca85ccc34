import type { Client } from 'pg';

/**
 * Where the stream stands while it has no slot that it could go on from, for all tables are copied anew: no position of a
 * source's. Whoever applies finds the ledger moved on.
 */
export const WITHOUT_SLOT = {
  /** They are being emptied; an attempt that ended in the middle has to be repeated whole. */
  emptying: '0/1',
  /** They are, and a new slot is to be made. */
  emptied: '0/0',
} as const;

/** The target's user may set `session_replication_role`, as it was found when the source was prepared. */
export async function isReplicaRoleAllowed(target: Client): Promise<boolean> {
  const { rows } = await target.query<{ replica_role: boolean }>('SELECT replica_role FROM flexlift.stream');
  return rows[0]?.replica_role ?? false;
}

/**
 * Holds the stream's row until the transaction ends; see its table. KEY SHARE lets the applier write its position, UPDATE
 * waits for its batch.
 *
 * @returns false where nothing is replicated
 */
export async function lockStream(target: Client, strength: 'KEY SHARE' | 'UPDATE'): Promise<boolean> {
  const { rowCount } = await target.query(`SELECT FROM flexlift.stream FOR ${strength}`);
  return rowCount === 1;
}
