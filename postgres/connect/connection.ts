import { DatabaseError, type Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../contract';
import { serverName, type Endpoint } from './endpoint';
import { mapPostgresError, rememberPlace } from './map-error';
import { close, open, reasonOfEnd, socketOf, type ConnectionKind } from './open';
import { askBeside, backendOf } from './second-session';
import { applySessionSettings } from './session-settings';
import { watchSilence } from './silence-watch';

/**
 * The one way to get a connection: opens it, sets every session setting that the work depends on, hands it to `work`
 * and closes it whatever happens. A server that falls silent is noticed. When `signal` fires, the running statement is
 * cancelled on the server and the connection closed, so that `work` fails at once.
 *
 * @throws FlexliftError for all that the server or the network throws, with side, server and database.
 */
export async function withConnection<T>(
  endpoint: Endpoint,
  database: string,
  signal: AbortSignal,
  work: (client: Client) => Promise<T>,
  kind: ConnectionKind = {},
): Promise<T> {
  const place = { side: endpoint.side, server: serverName(endpoint.address), database };
  signal.throwIfAborted();
  let client: Client | undefined;
  const stop = () => {
    if (client !== undefined) void cancelAndClose(endpoint, database, client);
  };
  try {
    client = await open(endpoint, database, kind);
    watchSilence(client, { endpoint, database, place });
    rememberPlaces(client, place);
    signal.addEventListener('abort', stop, { once: true });
    signal.throwIfAborted();
    await applySessionSettings(client, endpoint.side);
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw mapPostgresError(reasonOf(error, client), place);
  } finally {
    signal.removeEventListener('abort', stop);
    if (client !== undefined) await close(client);
  }
}

/**
 * A closed socket alone does not stop a statement that sends nothing (an index build): the server is asked to cancel
 * it from a second session first.
 */
async function cancelAndClose(endpoint: Endpoint, database: string, client: Client): Promise<void> {
  try {
    await askBeside(endpoint, database, 'SELECT pg_catalog.pg_cancel_backend($1)', [backendOf(client)]);
  } catch {
    // the server is gone or refuses: closing the socket is all that is left to do
  } finally {
    socketOf(client).destroy();
  }
}

/** What broke on an ended session says less than its end. */
function reasonOf(error: unknown, client: Client | undefined): unknown {
  if (client === undefined || error instanceof FlexliftError) return error;
  const end = reasonOfEnd(client);
  // the statement that ran then was told why; the socket only knows that it is closed
  if (error instanceof DatabaseError && !(end instanceof DatabaseError)) return error;
  return end ?? error;
}

function rememberPlaces(client: Client, place: FailurePlace): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown;
  client.query = ((...args: unknown[]) => {
    const result = query(...args);
    if (result instanceof Promise) result.catch((error: unknown) => rememberPlace(error, place));
    return result;
  }) as Client['query'];
}
