import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import type { MaterializedView } from './materialized-views';

/**
 * The materialized views that hold, on the source, only rows that policies let their owners read, and those that read
 * such a view. REFRESH acts with the owner's rights: before row security is there, it would show what they hide. All
 * others are to be refreshed before, for the owner on the target may be bound where that of the source is not.
 *
 * @param views all of the source's
 * @returns quoted names
 */
export async function viewsUnderRowSecurity(source: Client, views: MaterializedView[]): Promise<Set<string>> {
  if (views.length === 0) return new Set();
  const { rows } = await source.query<{ schema: string; name: string }>(VIEWS_OF_BOUND_OWNERS);
  const bound = new Set(rows.map((row) => quoteQualified(row.schema, row.name)));
  const held = views.filter(
    ({ quotedName, reads }) => bound.has(quotedName) || reads.some((name) => bound.has(name)),
  );
  return new Set(held.map(({ quotedName }) => quotedName));
}

/**
 * Each view reads with its own owner's rights, one with `security_invoker` (15 on) with those of who refreshes, wherever it
 * stands (RelationBuildRuleLock in relcache.c). See check_enable_rls in rls.c for whom the policies bind.
 */
const VIEWS_OF_BOUND_OWNERS = `
  WITH RECURSIVE direct(view, used) AS (
         SELECT r.ev_class, d.refobjid
           FROM pg_catalog.pg_rewrite r
           JOIN pg_catalog.pg_depend d
             ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class),
       reading(view, reader, used) AS (
         SELECT m.oid, m.oid, direct.used
           FROM pg_catalog.pg_class m JOIN direct ON direct.view = m.oid
          WHERE m.relkind = 'm'
          UNION
         SELECT reading.view, direct.view, direct.used
           FROM reading JOIN direct ON direct.view = reading.used)
  SELECT DISTINCT n.nspname AS schema, m.relname AS name
    FROM reading
    JOIN pg_catalog.pg_class m ON m.oid = reading.view
    JOIN pg_catalog.pg_namespace n ON n.oid = m.relnamespace
    JOIN pg_catalog.pg_class v ON v.oid = reading.reader
   CROSS JOIN LATERAL (
         SELECT CASE WHEN pg_catalog.bool_or(o.option_value::pg_catalog.bool) THEN m.relowner ELSE v.relowner END AS oid
           FROM pg_catalog.pg_options_to_table(v.reloptions) o
          WHERE o.option_name = 'security_invoker') AS acting
    JOIN pg_catalog.pg_roles reader ON reader.oid = acting.oid
    JOIN pg_catalog.pg_class t ON t.oid = reading.used
   WHERE t.relrowsecurity AND NOT reader.rolsuper AND NOT reader.rolbypassrls
     AND (t.relforcerowsecurity OR NOT pg_catalog.pg_has_role(reader.oid, t.relowner, 'USAGE'))`;
