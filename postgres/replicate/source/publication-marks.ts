import type { Client } from 'pg';
import { MARKER_TABLE } from './marker';
import { markerSchema, publicationNames } from './names';

/**
 * A mark of each of a migration's publications, by its name, and of each table's place in them, by its oid. It tells
 * which transaction made them so: whoever alters one and back again, or takes a table out and puts it in again, leaves
 * another mark. Changes in between may be lost, and nothing else would tell.
 */
export type PublicationMarks = Record<string, string>;

export async function publicationMarks(client: Client, migrationId: string): Promise<PublicationMarks> {
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await client.query<{ of: string; mark: string }>(
    `WITH places AS (
       SELECT p.pubname, r.prrelid, pg_catalog.concat_ws(' ', r.oid, r.xmin) AS mark
         FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
        WHERE p.pubname IN ($1, $2))
     SELECT prrelid::pg_catalog.text AS of, pg_catalog.string_agg(mark, ' ' ORDER BY pubname) AS mark
       FROM places GROUP BY prrelid
     UNION ALL
     SELECT p.pubname::pg_catalog.text, pg_catalog.concat_ws(' ', p.oid, p.xmin, (
              SELECT s.mark FROM places s
                JOIN pg_catalog.pg_class c ON c.oid = s.prrelid
                JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE s.pubname = p.pubname AND n.nspname = $3 AND c.relname = $4))
       FROM pg_catalog.pg_publication p WHERE p.pubname IN ($1, $2)`,
    [keyed, append, markerSchema(migrationId), MARKER_TABLE],
  );
  return Object.fromEntries(rows.map((row) => [row.of, row.mark]));
}

/** As they are before the slot begins; in the caller's ledger transaction. */
export async function keepPublicationMarks(target: Client, marks: PublicationMarks): Promise<void> {
  await target.query(
    `INSERT INTO flexlift.step (kind, key, detail) VALUES ('published', 'marks', $1)
         ON CONFLICT (kind, key) DO UPDATE SET detail = EXCLUDED.detail`,
    [JSON.stringify(marks)],
  );
}

export async function keptPublicationMarks(target: Client): Promise<PublicationMarks> {
  const { rows } = await target.query<{ detail: PublicationMarks }>(
    `SELECT detail FROM flexlift.step WHERE kind = 'published' AND key = 'marks'`,
  );
  return rows[0]?.detail ?? {};
}
