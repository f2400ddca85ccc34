import type { Client } from 'pg';
import type { ArchiveEntry } from './read-archive';

/**
 * The table that each entry belongs to, read from the source's catalog by the oids that pg_dump noted: an index,
 * constraint, trigger, default, rule, policy or statistics object to its table, a relation to itself. No name is read.
 *
 * @param client a session on the source, best within the snapshot of the dump
 * @returns table oid by dump id; an entry that belongs to no table, or whose object is gone, is not in it
 */
export async function tablesOfEntries(client: Client, entries: ArchiveEntry[]): Promise<Map<number, number>> {
  const objects = entries.filter(({ catalogOid }) => catalogOid !== 0);
  const { rows } = await client.query<{ dump_id: number; table_oid: number }>(TABLES_OF_OBJECTS, [
    objects.map(({ dumpId }) => dumpId),
    objects.map(({ catalogClass }) => catalogClass),
    objects.map(({ catalogOid }) => catalogOid),
  ]);
  return new Map(rows.map((row) => [row.dump_id, row.table_oid]));
}

const TABLES_OF_OBJECTS = `
  SELECT e.dump_id, t.table_oid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.int4[]), pg_catalog.unnest($2::pg_catalog.oid[]),
                    pg_catalog.unnest($3::pg_catalog.oid[])) AS e(dump_id, class, object),
         LATERAL (
           SELECT CASE WHEN c.relkind IN ('i', 'I')
                       THEN (SELECT i.indrelid FROM pg_catalog.pg_index i WHERE i.indexrelid = c.oid)
                       ELSE c.oid END
             FROM pg_catalog.pg_class c
            WHERE e.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = e.object
              AND c.relkind NOT IN ('S', 'c')
           UNION ALL
           SELECT conrelid FROM pg_catalog.pg_constraint
            WHERE e.class = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND oid = e.object AND conrelid <> 0
           UNION ALL
           SELECT tgrelid FROM pg_catalog.pg_trigger
            WHERE e.class = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND oid = e.object
           UNION ALL
           SELECT adrelid FROM pg_catalog.pg_attrdef
            WHERE e.class = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND oid = e.object
           UNION ALL
           SELECT ev_class FROM pg_catalog.pg_rewrite
            WHERE e.class = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND oid = e.object
           UNION ALL
           SELECT polrelid FROM pg_catalog.pg_policy
            WHERE e.class = 'pg_catalog.pg_policy'::pg_catalog.regclass AND oid = e.object
           UNION ALL
           SELECT stxrelid FROM pg_catalog.pg_statistic_ext
            WHERE e.class = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND oid = e.object
         ) AS t(table_oid)`;
