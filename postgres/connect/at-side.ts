import type { Client } from 'pg';
import { serverName, type Side } from './endpoint';
import { mapPostgresError } from './map-error';

/**
 * Names the server in what `work` throws: where two connections are open at once, the outer `withConnection` cannot
 * know whose error it sees.
 *
 * @param object the quoted name of the object that is worked on.
 */
export async function atSide<T>(
  side: Side,
  client: Client,
  work: () => Promise<T>,
  object?: string,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw mapPostgresError(error, { side, server: serverName(client), database: client.database, object });
  }
}
