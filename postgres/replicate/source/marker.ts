import { PRODUCT } from '../../../contract';
import { serverVersion } from '../../catalog';
import { quoteIdentifier, withConnection, type Endpoint } from '../../connect';
import { altering } from './lock-to-alter';
import { FIRST_MAJOR_WITH_MESSAGES } from '../pgoutput';
import { markerSchema } from './names';

/** The prefix of our logical messages. */
export const MESSAGE_PREFIX = PRODUCT;

/** Takes their place before that; its only row has `id` 1 and the marker as `content`. */
export const MARKER_TABLE = 'marker';

/**
 * Puts a marker into the source's stream of changes, as a transaction of its own: a logical message, or before 14 a
 * change of the marker's table. The source may be fenced.
 */
export async function emitMarker(args: {
  source: Endpoint;
  database: string;
  migrationId: string;
  marker: string;
  signal: AbortSignal;
}): Promise<void> {
  const { source, database, migrationId, marker, signal } = args;
  await withConnection(source, database, signal, async (client) => {
    const { major } = await serverVersion(client);
    await altering(client, async () => {
      // on disk it is sent; that a standby has it too need not be waited for
      await client.query('SET LOCAL synchronous_commit = local');
      if (major >= FIRST_MAJOR_WITH_MESSAGES) {
        await client.query('SELECT pg_catalog.pg_logical_emit_message(true, $1, $2)', [
          MESSAGE_PREFIX,
          marker,
        ]);
        return;
      }
      await client.query(
        `INSERT INTO ${quoteIdentifier(markerSchema(migrationId))}.${MARKER_TABLE} (id, content) VALUES (1, $1)
         ON CONFLICT (id) DO UPDATE SET content = EXCLUDED.content`,
        [marker],
      );
    });
  });
}
