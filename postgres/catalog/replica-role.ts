import { DatabaseError, type Client } from 'pg';

const NO_SUCH_RIGHT = '42501';

/** Whether the connected user may set `session_replication_role`. In a transaction; leaves the setting as it is. */
export async function mayBeReplica(client: Client): Promise<boolean> {
  await client.query('SAVEPOINT before_setting');
  try {
    await client.query('SET LOCAL session_replication_role = replica');
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && error.code === NO_SUCH_RIGHT) return false;
    throw error;
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT before_setting');
  }
}
