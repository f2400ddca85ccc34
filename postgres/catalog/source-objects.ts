import { SOURCE_OBJECT_PATTERN } from '../../contract';
import { isNotManagedSchema } from './managed-extensions';

/** A condition on a name: a migration of ours has not made what it names on its source. */
export function isNotOurs(name: string): string {
  return `${name} !~ '${SOURCE_OBJECT_PATTERN}'`;
}

/** A condition on a schema's name: neither ours nor a provider's. */
export function isUsersSchema(name: string): string {
  return `(${isNotOurs(name)} AND ${isNotManagedSchema(name)})`;
}

/**
 * The replica identities that online migrations have set in the connected database, out of the comments of their
 * publications: `"table"` is the table's oid, `previous` and `ours` are values of `pg_class.relreplident`. In
 * parentheses, for a FROM clause.
 */
export const ALTERED_IDENTITIES = `(
  SELECT altered."table", altered.previous, altered.ours, p.pubname AS publication
    FROM pg_catalog.pg_publication p
   CROSS JOIN LATERAL pg_catalog.obj_description(p.oid, 'pg_publication') AS memory(text)
   CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(
           CASE WHEN memory.text ~ '^\\{"identities":\\[.*\\]\\}$' THEN memory.text::pg_catalog.jsonb -> 'identities' END)
         AS altered("table" pg_catalog.oid, previous pg_catalog.text, ours pg_catalog.text)
   WHERE NOT (${isNotOurs('p.pubname')}))`;
