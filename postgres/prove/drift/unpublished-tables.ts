import type { Client } from 'pg';
import type { Difference } from '../../../contract';
import { quoteQualified } from '../../connect';
import { publishedTables } from '../../replicate/source';

/**
 * Tables that somebody took out of the migration's publications: their changes do not come any more, and nothing else
 * would tell.
 */
export async function unpublishedTables(args: {
  source: Client;
  target: Client;
  migrationId: string;
}): Promise<Difference[]> {
  const published = await publishedTables(args.source, args.migrationId);
  const { rows } = await args.target.query<{ oid: number; schema: string; name: string }>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name
       FROM flexlift.table_load WHERE identity <> 'late' AND stream_state = 'applied' ORDER BY 2, 3`,
  );
  return rows
    .filter(({ oid }) => !published.has(oid))
    .map(({ schema, name }) => ({
      kind: 'catalog',
      object: `table ${quoteQualified(schema, name)}`,
      message:
        'It was dropped or taken out of the publication of this migration, so that its changes are lost. Cancel, and start again.',
    }));
}
