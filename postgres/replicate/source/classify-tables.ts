import type { Client } from 'pg';
import type { KeylessTables } from '../../../contract';
import { IS_GENERATED, serverVersion } from '../../catalog';
import { SOURCE_TABLES } from '../../copy';
import type { StreamIdentity } from '../../ledger';

/** `pg_class.relreplident`: default, nothing, full, index. */
export type ReplicaIdentity = 'd' | 'n' | 'f' | 'i';

export interface ClassifiedTable {
  oid: number;
  schema: string;
  name: string;
  identity: StreamIdentity;
  /** The replica identity has to be set for that first, by consent. */
  alterIdentity: boolean;
  /** The index to set it to; absent: FULL. */
  identityIndex?: string;
  /** What it is now. One whose index is lost cannot be had back: it is `d`, as a restored dump makes of it. */
  replicaIdentity: ReplicaIdentity;
}

interface Row {
  oid: number;
  schema: string;
  name: string;
  late: boolean;
  replicaIdentity: ReplicaIdentity;
  hasGenerated: boolean;
  /** What its replica identity comes to has a key that can be published. */
  usable: boolean;
  lostIndex: boolean;
  candidate: string | null;
}

/** From here on a server refuses UPDATE and DELETE of a published table whose identity has a generated column. */
const FIRST_MAJOR_REFUSING_GENERATED = 18;

/** How the changes of each table of the connected database come, by oid. Sets nothing. */
export async function classifyTables(
  source: Client,
  options: { keylessTables: KeylessTables },
): Promise<ClassifiedTable[]> {
  const { major } = await serverVersion(source);
  const { rows } = await source.query<Row>(TABLES_QUERY);
  return rows.map((row) => classify(row, major, options.keylessTables));
}

function classify(row: Row, major: number, keylessTables: KeylessTables): ClassifiedTable {
  const { oid, schema, name } = row;
  const replicaIdentity = row.lostIndex ? 'd' : row.replicaIdentity;
  const as = (identity: StreamIdentity, alteration?: { identityIndex?: string }): ClassifiedTable => ({
    oid,
    schema,
    name,
    identity,
    alterIdentity: alteration !== undefined,
    ...alteration,
    replicaIdentity,
  });
  if (row.late) return as('late');
  // the application's own UPDATE would fail: what is published for INSERT and TRUNCATE alone is never refused
  const takesFull = !row.hasGenerated || major < FIRST_MAJOR_REFUSING_GENERATED;
  if (row.replicaIdentity === 'f') return as(takesFull ? 'full' : 'append');
  if (row.usable) return as('key');
  // an index that was chosen and tells no row could not be chosen again when the migration ends
  if (keylessTables === 'append' || replicaIdentity === 'i') return as('append');
  if (row.candidate !== null) return as('key', { identityIndex: row.candidate });
  return takesFull ? as('full', {}) : as('append');
}

/** https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-REPLICA-IDENTITY */
const TABLES_QUERY = `
  WITH ${SOURCE_TABLES},
  -- a generated column is not sent: a key with one tells no row. Nor is there equality in an index that excludes,
  -- as that of a key WITHOUT OVERLAPS
  keys AS (
    SELECT i.indrelid, i.indisprimary, i.indisreplident, i.indnkeyatts, i.indexrelid, x.relname AS index,
           i.indexprs IS NULL AND pg_catalog.bool_and(
             COALESCE(a.attnotnull, false) AND NOT EXISTS (
               SELECT FROM pg_catalog.pg_constraint o
                WHERE o.conrelid = i.indrelid AND o.contype = 'n' AND NOT o.convalidated
                  AND o.conkey = ARRAY[a.attnum])) AS selectable
      FROM pg_catalog.pg_index i
      JOIN tables t ON t.oid = i.indrelid
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS k(attnum, position)
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND i.indislive AND i.indpred IS NULL
       AND NOT i.indisexclusion AND k.position <= i.indnkeyatts
     GROUP BY i.indexrelid, i.indrelid, i.indisprimary, i.indisreplident, i.indnkeyatts, x.relname,
              i.indexprs IS NULL
    HAVING NOT pg_catalog.bool_or(${IS_GENERATED}))
  SELECT t.oid, t.schema, t.name,
         c.relpersistence = 'u' OR t.condition IS NOT NULL AS late,
         c.relreplident AS "replicaIdentity",
         EXISTS (SELECT FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND NOT a.attisdropped AND ${IS_GENERATED}) AS "hasGenerated",
         CASE c.relreplident WHEN 'd' THEN k.has_primary WHEN 'i' THEN k.has_chosen ELSE false END IS TRUE AS usable,
         c.relreplident = 'i' AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) AS "lostIndex",
         k.candidate
    FROM tables t
    JOIN pg_catalog.pg_class c ON c.oid = t.oid
    LEFT JOIN (SELECT indrelid, pg_catalog.bool_or(indisprimary) AS has_primary,
                      pg_catalog.bool_or(indisreplident) AS has_chosen,
                      (pg_catalog.array_agg(index::pg_catalog.text ORDER BY indisprimary DESC, indnkeyatts, indexrelid)
                         FILTER (WHERE selectable))[1] AS candidate
                 FROM keys GROUP BY indrelid) AS k ON k.indrelid = t.oid
   ORDER BY t.oid`;
