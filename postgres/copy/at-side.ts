import { DatabaseError, type Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../contract';
import { mapPostgresError, serverName, type Side } from '../connect';

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
    throw placed(error, { side, server: serverName(client), database: client.database, object });
  }
}

function placed(error: unknown, place: FailurePlace): FlexliftError {
  const mapped = mapPostgresError(error, place);
  // a message of class 22 quotes the value it refuses: `invalid input syntax for type integer: "…"`
  if (!(error instanceof DatabaseError) || error.code?.startsWith('22') !== true) return mapped;
  return new FlexliftError(
    {
      ...mapped.fields,
      sentence: 'The server refused a value of a row.',
      remedy: "Find the value in that server's log, correct it on the source and start again.",
    },
    { cause: error },
  );
}
