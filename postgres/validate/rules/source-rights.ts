import type { Client } from 'pg';
import { LEDGER_SCHEMA } from '../../../contract';
import { isNoExtensionsOwn, isUsersSchema } from '../../catalog';
import { quoteIdentifier, quoteQualified } from '../../connect';
import { enumerate, failed, type DatabaseContext, type Rule, type Verdict } from '../rule';

/** The session in the database proves CONNECT; here is what reading its contents takes. */
export const sourceRights: Rule<DatabaseContext> = {
  id: 'source-rights',
  holds: "The source's user may read everything that is migrated.",
  async check({ sourceClient, source: { user } }) {
    if (user.superuser) return [];
    const grantee = quoteIdentifier(user.name);
    return [
      ...(await schemasWithoutUsage(sourceClient, grantee)),
      ...(await relationsWithoutSelect(sourceClient, grantee)),
      ...(await unreadableLargeObjects(sourceClient, grantee)),
    ];
  },
};

/** Relations whose rows or values are read, of the user's own and of extensions that hand theirs to pg_dump. */
const READ_RELATIONS = `
  SELECT c.oid, c.relname, c.relkind, n.oid AS schema_oid, n.nspname
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'm', 'S') AND c.relpersistence <> 't'
     AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '${LEDGER_SCHEMA}')
     AND ${isUsersSchema('n.nspname')}
     AND ${isNoExtensionsOwn('c')}`;

async function schemasWithoutUsage(client: Client, grantee: string): Promise<Verdict[]> {
  const { rows } = await client.query<{ nspname: string }>(
    `SELECT DISTINCT nspname FROM (${READ_RELATIONS}) AS relation
      WHERE NOT pg_catalog.has_schema_privilege(schema_oid, 'USAGE') ORDER BY 1`,
  );
  if (rows.length === 0) return [];
  const schemas = rows.map((row) => quoteIdentifier(row.nspname));
  return [
    failed(
      `The source's user lacks USAGE on: ${enumerate(schemas)}.`,
      `Run on the source: GRANT USAGE ON SCHEMA ${schemas.join(', ')} TO ${grantee}.`,
    ),
  ];
}

async function relationsWithoutSelect(client: Client, grantee: string): Promise<Verdict[]> {
  const { rows } = await client.query<{ nspname: string; relname: string; relkind: string; total: number }>(
    `SELECT nspname, relname, relkind, (pg_catalog.count(*) OVER ())::integer AS total
       FROM (${READ_RELATIONS}) AS relation
      WHERE NOT pg_catalog.has_table_privilege(oid, 'SELECT')
      ORDER BY nspname, relkind = 'S', relname LIMIT 5`,
  );
  const [first] = rows;
  if (first === undefined) return [];
  const names = rows.map((row) => quoteQualified(row.nspname, row.relname));
  const kind = first.relkind === 'S' ? 'SEQUENCES' : 'TABLES';
  const one = `${first.relkind === 'S' ? 'SEQUENCE' : 'TABLE'} ${names[0]}`;
  const objects = first.total === 1 ? one : `ALL ${kind} IN SCHEMA ${quoteIdentifier(first.nspname)}`;
  return [
    failed(
      `The source's user lacks SELECT on: ${enumerate(names, first.total)}.`,
      `Run on the source: GRANT SELECT ON ${objects} TO ${grantee}${first.total === 1 ? '' : ', and so on for the others'}.`,
    ),
  ];
}

async function unreadableLargeObjects(client: Client, grantee: string): Promise<Verdict[]> {
  const { rows } = await client.query<{ oid: string; total: string }>(
    `SELECT lo.oid::text, pg_catalog.count(*) OVER () AS total
       FROM pg_catalog.pg_largeobject_metadata lo
      WHERE NOT pg_catalog.current_setting('lo_compat_privileges')::boolean
        AND NOT pg_catalog.pg_has_role(lo.lomowner, 'USAGE')
        AND NOT EXISTS (
              SELECT FROM pg_catalog.aclexplode(lo.lomacl) AS entry
               WHERE entry.privilege_type = 'SELECT'
                 AND (entry.grantee = 0 OR pg_catalog.pg_has_role(entry.grantee, 'USAGE')))
      ORDER BY lo.oid LIMIT 1`,
  );
  const [first] = rows;
  if (first === undefined) return [];
  return [
    failed(
      `The source's user may not read ${first.total} large objects, among them ${first.oid}.`,
      `Run on the source for each: GRANT SELECT ON LARGE OBJECT ${first.oid} TO ${grantee}.`,
    ),
  ];
}
