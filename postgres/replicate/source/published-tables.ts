import type { Client } from 'pg';
import { publicationNames } from './names';

/** The tables in a migration's publications, by their oid, each with the names of those it is in. */
export async function publishedTables(client: Client, migrationId: string): Promise<Map<number, string[]>> {
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await client.query<{ oid: number; publications: string[] }>(
    `SELECT r.prrelid AS oid, pg_catalog.array_agg(p.pubname::pg_catalog.text) AS publications
       FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
      WHERE p.pubname IN ($1, $2) GROUP BY r.prrelid`,
    [keyed, append],
  );
  return new Map(rows.map((row) => [row.oid, row.publications]));
}
