/**
 * Providers put them into databases by themselves, Azure into every one, and no other server has them: whichever side has
 * them, they are neither migrated nor compared.
 */
export const MANAGED_EXTENSIONS = [
  'azure',
  'google_columnar_engine',
  'google_db_advisor',
  'google_vacuum_mgmt',
  'pgaadauth',
];

/** Made by CREATE EXTENSION for one of them, which does not make it a part of the extension. */
export const MANAGED_SCHEMAS = ['google_vacuum_mgmt'];

/** What stands in their tables acts by itself: jobs would run on the target while the source is still in use. */
const ACTING_EXTENSIONS = ['pg_cron'];

/** A condition on an extension's name. */
export function isNotManaged(name: string): string {
  return isNoneOf(name, MANAGED_EXTENSIONS);
}

/** A condition on an extension's name: what it hands pg_dump of its tables and sequences is migrated. */
export function bringsRows(name: string): string {
  return isNoneOf(name, [...MANAGED_EXTENSIONS, ...ACTING_EXTENSIONS]);
}

/** A condition on a row of `pg_class`: it is no extension's, or one whose rows the extension hands pg_dump. */
export function isNoExtensionsOwn(alias: string): string {
  return `NOT EXISTS (SELECT FROM pg_catalog.pg_depend member
                        JOIN pg_catalog.pg_extension e ON e.oid = member.refobjid
                       WHERE member.classid = ${alias}.tableoid AND member.objid = ${alias}.oid AND member.deptype = 'e'
                         AND NOT (${bringsRows('e.extname')} AND ${alias}.oid = ANY (coalesce(e.extconfig, '{}'))))`;
}

/** A condition on a schema's name. */
export function isNotManagedSchema(name: string): string {
  return isNoneOf(name, MANAGED_SCHEMAS);
}

function isNoneOf(name: string, names: string[]): string {
  return `${name} NOT IN (${names.map((each) => `'${each}'`).join(', ')})`;
}
