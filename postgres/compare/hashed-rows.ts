import type { Client } from 'pg';

export interface RowsQuery {
  /** An item of FROM. */
  relation: string;
  /** SQL that chooses rows. */
  condition: string;
  /** SQL expressions over its columns. */
  keyHash: string;
  rowHash: string;
  bucket: string;
  label: string;
  buckets: string[];
}

/** All rows with one hash of their key: one row, but for tables without a key. */
export interface HashedRow {
  keyHash: bigint;
  /** Equal on both sides if the rows are. */
  content: string;
  count: string;
  label: string;
}

const ROWS_PER_FETCH = 1000;

/** The rows of the buckets by the hash of their key, a thousand at a time; needs an open transaction. */
export async function* hashedRows(client: Client, query: RowsQuery): AsyncGenerator<HashedRow, undefined> {
  await client.query(
    `DECLARE flexlift_rows NO SCROLL CURSOR FOR
     SELECT key_hash, pg_catalog.count(*)::pg_catalog.text AS count,
            pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(row_hash)) AS content,
            pg_catalog.min(label COLLATE pg_catalog."C") AS label
       FROM (SELECT ${query.keyHash} AS key_hash, ${query.rowHash} AS row_hash, ${query.label} AS label
               FROM ${query.relation}
              WHERE (${query.condition}) AND ${query.bucket} = ANY (${bucketList(query.buckets)})) AS hashed
      GROUP BY key_hash
      ORDER BY key_hash`,
  );
  for (;;) {
    const { rows } = await client.query<{ key_hash: string; content: string; count: string; label: string }>(
      `FETCH ${ROWS_PER_FETCH} FROM flexlift_rows`,
    );
    for (const { key_hash, content, count, label } of rows) {
      yield { keyHash: BigInt(key_hash), content, count, label };
    }
    if (rows.length < ROWS_PER_FETCH) return undefined;
  }
}

/** Numbers that came from a server as text stay numbers, whatever it sent. */
function bucketList(buckets: string[]): string {
  return `ARRAY[${buckets.map((bucket) => BigInt(bucket).toString()).join(', ')}]::pg_catalog.int8[]`;
}
