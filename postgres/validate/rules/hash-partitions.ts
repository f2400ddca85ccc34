import type { Client } from 'pg';
import { quoteQualified } from '../../connect';
import { databaseUsedAsItIs } from '../database-used-as-it-is';
import { enumerate, failed, warning, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** A row belongs to the partition that its leaf is on the source, where it is copied from and changes are told of. */
export const hashPartitions: Rule<DatabaseContext> = {
  id: 'hash-partitions',
  holds: 'Rows belong to the same hash partitions on the target.',
  async check(context) {
    return [...(await hashedByOids(context)), ...(await hashedByConvertedTexts(context))];
  },
};

async function hashedByOids({ sourceClient }: DatabaseContext): Promise<Verdict[]> {
  const tables = await tablesHashedBy(sourceClient, VALUES_ARE_OIDS);
  if (tables.length === 0) return [];
  return [
    failed(
      `Tables are partitioned by the hash of an enum or of a type like regclass, whose values are OIDs and have others on the target, so that their rows would belong to other partitions there: ${enumerate(tables)}.`,
      'Partition them by LIST, or by the hash of another column, on the source before the migration.',
    ),
  ];
}

async function hashedByConvertedTexts(context: DatabaseContext): Promise<Verdict[]> {
  const { sourceClient, properties } = context;
  const existing = await databaseUsedAsItIs(context);
  const encodings = [properties.encoding, existing?.encoding ?? properties.encoding];
  // bytes of no encoding stay as they are
  if (encodings[0] === encodings[1] || encodings.includes('SQL_ASCII')) return [];
  const tables = await tablesHashedBy(sourceClient, VALUES_ARE_TEXTS);
  if (tables.length === 0) return [];
  return [
    warning(
      `Tables are partitioned by the hash of texts, which are converted from ${encodings.join(' to ')}: a row whose text is not all ASCII belongs to another partition there, and its copy fails: ${enumerate(tables)}.`,
      'Where there are such rows, partition the tables by another column on the source before the migration, or let the target database have the encoding of the source.',
    ),
  ];
}

async function tablesHashedBy(source: Client, condition: string): Promise<string[]> {
  const { rows } = await source.query<{ schema: string; name: string }>(hashedBy(condition));
  return rows.map(({ schema, name }) => quoteQualified(schema, name));
}

const VALUES_ARE_OIDS = `
  t.typtype = 'e' OR t.typname = 'anyenum'
  OR (t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname LIKE 'reg%')`;

const VALUES_ARE_TEXTS = `
  t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
  AND t.typname IN ('text', 'varchar', 'bpchar', 'name', 'jsonb')`;

/**
 * pg_dump asks for the operator class of enums alone, and loads such a table through its root. What an operator class of
 * a user's own hashes is not known. `rngmultitypid` exists from 14 on.
 */
const hashedBy = (condition: string) => `
  WITH RECURSIVE hashed(root, type) AS (
    SELECT p.partrelid, COALESCE(a.atttypid, oc.opcintype)
      FROM pg_catalog.pg_partitioned_table p
     CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(p.partattrs::pg_catalog.int2[]),
                                   pg_catalog.unnest(p.partclass::pg_catalog.oid[])) AS k(attnum, opclass)
      JOIN pg_catalog.pg_opclass oc ON oc.oid = k.opclass
       AND oc.opcnamespace = 'pg_catalog'::pg_catalog.regnamespace
      LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
     WHERE p.partstrat = 'h' AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = p.partrelid)
     UNION
    SELECT h.root, part.type
      FROM hashed h
      JOIN pg_catalog.pg_type t ON t.oid = h.type
     CROSS JOIN LATERAL (
           SELECT t.typbasetype AS type WHERE t.typtype = 'd'
            UNION ALL
           SELECT e.oid FROM pg_catalog.pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid
            UNION ALL
           SELECT a.atttypid FROM pg_catalog.pg_attribute a
            WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
            UNION ALL
           SELECT r.rngsubtype FROM pg_catalog.pg_range r
            WHERE t.oid IN (r.rngtypid, (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid)) AS part)
  SELECT DISTINCT n.nspname AS schema, c.relname AS name
    FROM hashed h
    JOIN pg_catalog.pg_type t ON t.oid = h.type
    JOIN pg_catalog.pg_class c ON c.oid = h.root
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE ${condition}
   ORDER BY 1, 2`;
