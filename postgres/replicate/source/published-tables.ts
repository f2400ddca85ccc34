import type { Client } from 'pg';
import { publicationNames } from './names';

/** OIDs of the tables that are in the publications of a migration. */
export async function publishedTables(source: Client, migrationId: string): Promise<Set<number>> {
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await source.query<{ oid: number }>(
    `SELECT r.prrelid AS oid
       FROM pg_catalog.pg_publication_rel r
       JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
      WHERE p.pubname IN ($1, $2)`,
    [keyed, append],
  );
  return new Set(rows.map((row) => row.oid));
}
