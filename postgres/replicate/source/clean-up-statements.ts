import { quoteIdentifier, quoteLiteral } from '../../connect';
import { ALTERED_IDENTITIES } from '../../catalog';
import { MARKER_TABLE } from './marker';
import { markerSchema, publicationNames, slotName } from './names';

/**
 * What a person runs in the source's database to take away what a migration left there, the fence excepted. Works
 * whatever part of it is there, and on a fenced database too.
 */
export function cleanUpStatements(migrationId: string, database: string): string[] {
  const { keyed, append } = publicationNames(migrationId);
  const slot = quoteLiteral(slotName(migrationId, database)).trim();
  const schema = quoteIdentifier(markerSchema(migrationId));
  return [
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE;',
    // where all of them are sent at once they are one transaction, which has begun
    'SET transaction_read_only = off;',
    `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = ${slot} AND active;`,
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = ${slot};`,
    restoreIdentitiesBlock(keyed),
    `DROP PUBLICATION IF EXISTS ${quoteIdentifier(keyed)}, ${quoteIdentifier(append)};`,
    `DROP TABLE IF EXISTS ${schema}.${MARKER_TABLE};`,
    `DROP SCHEMA IF EXISTS ${schema};`,
  ];
}

/** The identities of before stand in the publication's comment, so that nobody else needs to know them. */
function restoreIdentitiesBlock(keyed: string): string {
  return `DO $flexlift$
DECLARE relation record;
BEGIN
  FOR relation IN
    SELECT i."table"::regclass AS name, CASE i.previous WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END AS previous,
           EXISTS (SELECT FROM pg_publication_rel r WHERE r.prrelid = i."table" AND r.prpubid =
                     (SELECT oid FROM pg_publication WHERE pubname = i.publication)) AS published
      FROM ${ALTERED_IDENTITIES.trim()} AS i JOIN pg_class c ON c.oid = i."table"
     WHERE i.publication = ${quoteLiteral(keyed).trim()} AND c.relreplident::text = i.ours
  LOOP
    IF relation.published THEN
      EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', ${quoteLiteral(keyed).trim()}, relation.name);
    END IF;
    EXECUTE format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', relation.name, relation.previous);
  END LOOP;
END $flexlift$;`;
}
