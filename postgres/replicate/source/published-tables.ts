import type { Client } from 'pg';
import { publicationNames } from './names';

/** Names of publications. */
export interface PublishedTable {
  /** Those it is in with all its rows and columns. */
  whole: string[];
  /** Those that somebody gave a row filter or a column list for it. */
  filtered: string[];
}

/** The tables in a migration's publications, by their oid. */
export async function publishedTables(
  client: Client,
  migrationId: string,
): Promise<Map<number, PublishedTable>> {
  const { keyed, append } = publicationNames(migrationId);
  // filters and lists exist from 15 on
  const { rows } = await client.query<{ oid: number; publication: string; isFiltered: boolean }>(
    `SELECT r.prrelid AS oid, p.pubname::pg_catalog.text AS publication,
            COALESCE(pg_catalog.to_jsonb(r) ->> 'prqual', pg_catalog.to_jsonb(r) ->> 'prattrs') IS NOT NULL AS "isFiltered"
       FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
      WHERE p.pubname IN ($1, $2)`,
    [keyed, append],
  );
  const tables = new Map<number, PublishedTable>();
  for (const { oid, publication, isFiltered } of rows) {
    const table = tables.get(oid) ?? { whole: [], filtered: [] };
    (isFiltered ? table.filtered : table.whole).push(publication);
    tables.set(oid, table);
  }
  return tables;
}
