import { isUsersSchema } from '../../catalog';

/**
 * One query over the catalog. It gives rows of `identity` (what a person calls the object, with its quoted name) and
 * `definition` (jsonb of its properties, NULLs left out). A property whose name begins with `~` is SQL deparsed by the
 * server, which may read otherwise on another major; all others must be equal to the letter.
 */
export type Section = (major: number) => string;

/** A name in quotes whatever it is: quote_ident depends on the major's list of keywords. */
export function quoted(sql: string): string {
  return `('"' || pg_catalog.replace(${sql}, '"', '""') || '"')`;
}

export function qualified(schema: string, name: string): string {
  return `(${quoted(schema)} || '.' || ${quoted(name)})`;
}

/** Schemas whose content belongs to the database's users. */
export function userSchema(schema: string): string {
  return `(${schema} !~ '^pg_' AND ${schema} NOT IN ('information_schema', 'flexlift') AND ${isUsersSchema(schema)})`;
}

/** Extensions bring their own objects, which differ between their versions. */
export function notOfExtension(catalog: string, oid: string): string {
  return `NOT EXISTS (SELECT FROM pg_catalog.pg_depend member
                       WHERE member.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass
                         AND member.objid = ${oid} AND member.deptype = 'e')`;
}

/** `true`, or absent: so a property that an older major does not know equals its default on a newer one. */
export function flag(sql: string): string {
  return `CASE WHEN ${sql} THEN 'true' END`;
}

export function sorted(array: string): string {
  return `(SELECT pg_catalog.string_agg(item, ', ' ORDER BY item COLLATE "C") FROM pg_catalog.unnest(${array}) AS item)`;
}

/** @param properties name, SQL, name, SQL…; the SQL's value must have a text form. */
export function definition(properties: Record<string, string>): string {
  const items = Object.entries(properties).map(([name, sql]) => `'${name}', (${sql})::pg_catalog.text`);
  return `pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object(${items.join(', ')}))`;
}

/** The number of the first major with this property; older ones say nothing of it. */
export function since(first: number, major: number, sql: string): string {
  return major >= first ? sql : 'NULL';
}
