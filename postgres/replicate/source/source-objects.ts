import type { Client } from 'pg';
import { PRODUCT } from '../../../contract';
import { ALTERED_IDENTITIES, isNotOurs } from '../../catalog';
import { quoteQualified } from '../../connect';

export type SourceObjectKind = 'slot' | 'publication' | 'fence' | 'schema' | 'replica identity';

/** Something that a migration of ours has on a source. */
export interface SourceObject {
  kind: SourceObjectKind;
  /** Of a replica identity its table, quoted and schema-qualified. */
  name: string;
  migrationId: string;
  database: string;
}

interface Row {
  kind: SourceObjectKind;
  schema: string | null;
  name: string;
  owner: string;
  database: string;
}

/** Where the migration's id stands in a name of ours. */
const ID_START = PRODUCT.length + 1;
const ID_LENGTH = 12;

/**
 * All that is ours in the connected database of a source, told by its name alone.
 *
 * @param migrationId absent: of every migration
 */
export async function sourceObjects(client: Client, migrationId?: string): Promise<SourceObject[]> {
  const { rows } = await client.query<Row>(
    `SELECT 'slot' AS kind, NULL AS schema, slot_name AS name, slot_name AS owner, database
       FROM pg_catalog.pg_replication_slots
      WHERE NOT (${isNotOurs('slot_name')}) AND NOT temporary AND database = pg_catalog.current_database()
     UNION ALL
     SELECT CASE WHEN pg_catalog.right(pubname, 6) = '_fence' THEN 'fence' ELSE 'publication' END, NULL,
            pubname, pubname, pg_catalog.current_database()
       FROM pg_catalog.pg_publication WHERE NOT (${isNotOurs('pubname')})
     UNION ALL
     SELECT 'schema', NULL, nspname, nspname, pg_catalog.current_database()
       FROM pg_catalog.pg_namespace WHERE NOT (${isNotOurs('nspname')})
     UNION ALL
     SELECT 'replica identity', n.nspname, c.relname, altered.publication, pg_catalog.current_database()
       FROM ${ALTERED_IDENTITIES} AS altered
       JOIN pg_catalog.pg_class c ON c.oid = altered."table" AND c.relreplident::pg_catalog.text = altered.ours
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     ORDER BY 5, 1, 2, 3`,
  );
  return rows
    .map(({ kind, schema, name, owner, database }) => ({
      kind,
      name: schema === null ? name : quoteQualified(schema, name),
      migrationId: owner.slice(ID_START, ID_START + ID_LENGTH),
      database,
    }))
    .filter((object) => migrationId === undefined || object.migrationId === migrationId);
}

/** `slot flexlift_…` */
export function describeSourceObject({ kind, name }: SourceObject): string {
  return `${kind} ${name}`;
}
