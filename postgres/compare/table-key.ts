import type { Client } from 'pg';

/**
 * The columns that tell a table's rows apart, in the key's order: the primary key, else the unique index with the
 * fewest columns that is immediate, whole and over NOT NULL columns alone. `undefined`: the table has no key.
 */
export async function readTableKey(
  client: Client,
  table: { schema: string; name: string },
): Promise<string[] | undefined> {
  const { rows } = await client.query<{ columns: string[] }>(
    `SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY k.position) AS columns
       FROM pg_catalog.pg_index i
       JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
       JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, position)
       LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
      WHERE n.nspname = $1 AND c.relname = $2
        AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND k.position <= i.indnkeyatts
      GROUP BY i.indexrelid, i.indisprimary, i.indnkeyatts
     HAVING pg_catalog.bool_and(a.attnotnull)
      ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
      LIMIT 1`,
    [table.schema, table.name],
  );
  return rows[0]?.columns;
}
