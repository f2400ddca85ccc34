import { quoteQualified } from '../../connect';
import { enumerate, failed, type DatabaseContext, type Rule } from '../rule';

/** A row belongs to the partition that its leaf is on the source, where it is copied from and changes are told of. */
export const hashPartitions: Rule<DatabaseContext> = {
  id: 'hash-partitions',
  holds: 'Rows belong to the same hash partitions on the target.',
  async check({ sourceClient }) {
    const { rows } = await sourceClient.query<{ schema: string; name: string }>(HASHED_BY_OIDS);
    if (rows.length === 0) return [];
    const names = rows.map(({ schema, name }) => quoteQualified(schema, name));
    return [
      failed(
        `Tables are partitioned by the hash of an enum or of a type like regclass, whose values are OIDs and have others on the target, so that their rows would belong to other partitions there: ${enumerate(names)}.`,
        'Partition them by LIST, or by the hash of another column, on the source before the migration.',
      ),
    ];
  },
};

/**
 * pg_dump asks for the operator class of enums alone, and loads such a table through its root. What an operator class of
 * a user's own hashes is not known. `rngmultitypid` exists from 14 on.
 */
const HASHED_BY_OIDS = `
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
   WHERE t.typtype = 'e' OR t.typname = 'anyenum'
      OR (t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname LIKE 'reg%')
   ORDER BY 1, 2`;
