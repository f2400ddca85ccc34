import type { Client } from 'pg';
import { LEDGER_SCHEMA } from '../../contract';
import { isNotOurs, isUsersSchema } from './source-objects';

/** Catalogs whose rows live in a schema, with that schema's column. */
const IN_SCHEMAS = {
  pg_class: 'relnamespace',
  pg_proc: 'pronamespace',
  pg_type: 'typnamespace',
  pg_operator: 'oprnamespace',
  pg_opclass: 'opcnamespace',
  pg_opfamily: 'opfnamespace',
  pg_collation: 'collnamespace',
  pg_conversion: 'connamespace',
  pg_statistic_ext: 'stxnamespace',
  pg_ts_config: 'cfgnamespace',
  pg_ts_dict: 'dictnamespace',
  pg_ts_parser: 'prsnamespace',
  pg_ts_template: 'tmplnamespace',
};

const OF_DATABASE = [
  'pg_cast',
  'pg_default_acl',
  'pg_event_trigger',
  'pg_foreign_data_wrapper',
  'pg_foreign_server',
  'pg_language',
  'pg_publication',
  'pg_transform',
];

/** The first oid that is not initdb's: FirstNormalObjectId in access/transam.h. */
export const FIRST_USER_OID = 16384;

/**
 * True where a user made nothing in the connected database: no schema but `public`, no relation, function, type or
 * other object, no large object. What extensions brought, a ledger, temporary objects and
 * what a migration of ours has on its source do not count.
 */
export async function isEmptyDatabase(client: Client): Promise<boolean> {
  return (await someUserObject(client)) === undefined;
}

/** One object that makes the connected database not empty, e.g. `table app.orders`; `undefined` where it is empty. */
export async function someUserObject(client: Client): Promise<string | undefined> {
  const { rows } = await client.query<{ object: string }>(
    `SELECT pg_catalog.pg_describe_object(found.classid, found.objid, 0) AS object
       FROM (${userObjectsSql()}) AS found
      LIMIT 1`,
    [LEDGER_SCHEMA],
  );
  return rows[0]?.object;
}

function userObjectsSql(): string {
  const inSchemas = Object.entries(IN_SCHEMAS).map(
    ([catalog, column]) =>
      `SELECT o.tableoid AS classid, o.oid AS objid
         FROM pg_catalog.${catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.${column}
        WHERE n.nspname <> $1 AND n.nspname !~ '^pg_(toast|temp)' AND ${isUsersSchema('n.nspname')} AND ${isUserMade('o')}
              ${catalog === 'pg_class' ? `AND o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')` : ''}`,
  );
  const ofDatabase = OF_DATABASE.map(
    (catalog) =>
      `SELECT o.tableoid, o.oid FROM pg_catalog.${catalog} o
        WHERE ${isUserMade('o')} ${catalog === 'pg_publication' ? `AND ${isNotOurs('o.pubname')}` : ''}`,
  );
  const schemas = `SELECT o.tableoid, o.oid FROM pg_catalog.pg_namespace o
                    WHERE o.nspname NOT IN ('public', $1) AND o.nspname !~ '^pg_' AND ${isUsersSchema('o.nspname')}
                      AND ${isUserMade('o')}`;
  const largeObjects = `SELECT 'pg_catalog.pg_largeobject'::pg_catalog.regclass, oid
                          FROM pg_catalog.pg_largeobject_metadata`;
  return [...inSchemas, ...ofDatabase, schemas, largeObjects].join('\nUNION ALL\n');
}

/** A condition on a catalog's row: made by a user for its own sake; no extension's and no other object's part. */
export function isUserMade(alias: string): string {
  return `${alias}.oid >= ${FIRST_USER_OID} AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend part
     WHERE part.classid = ${alias}.tableoid AND part.objid = ${alias}.oid
       AND part.objsubid = 0 AND part.deptype IN ('e', 'i'))`;
}
