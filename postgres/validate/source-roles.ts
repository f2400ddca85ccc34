import type { Client } from 'pg';
import { LEDGER_SCHEMA } from '../../contract';
import { isGivenAway, isNotOurs, isProviders, isUserMade, isUsersSchema } from '../catalog';
import { WAS_GRANTED } from './granted';

/** What the schema needs a role for. */
export interface SourceRoles {
  /** Owners of objects and of the database, but for a provider's roles. */
  owners: string[];
  /** A provider's roles that own any. */
  providers: string[];
  /** Receivers and givers of rights but for a provider's roles, and all that default privileges name. */
  grantees: string[];
  /** A provider's roles that receive or give rights; these stay behind. */
  grantedProviders: string[];
  /** Those whose default privileges are set. */
  defaultPrivileges: string[];
  /** Roles of policies, user mappings and settings of the database. */
  others: string[];
}

const OWNERS: Record<string, { owner: string; schema?: string }> = {
  pg_class: { owner: 'relowner', schema: 'relnamespace' },
  pg_proc: { owner: 'proowner', schema: 'pronamespace' },
  pg_type: { owner: 'typowner', schema: 'typnamespace' },
  pg_operator: { owner: 'oprowner', schema: 'oprnamespace' },
  pg_opclass: { owner: 'opcowner', schema: 'opcnamespace' },
  pg_opfamily: { owner: 'opfowner', schema: 'opfnamespace' },
  pg_collation: { owner: 'collowner', schema: 'collnamespace' },
  pg_conversion: { owner: 'conowner', schema: 'connamespace' },
  pg_statistic_ext: { owner: 'stxowner', schema: 'stxnamespace' },
  pg_ts_config: { owner: 'cfgowner', schema: 'cfgnamespace' },
  pg_ts_dict: { owner: 'dictowner', schema: 'dictnamespace' },
  pg_language: { owner: 'lanowner' },
  pg_foreign_data_wrapper: { owner: 'fdwowner' },
  pg_foreign_server: { owner: 'srvowner' },
  pg_publication: { owner: 'pubowner' },
  pg_event_trigger: { owner: 'evtowner' },
};

const ACLS: Record<string, { acl: string; owner: string; schema?: string }> = {
  pg_class: { acl: 'relacl', owner: 'relowner', schema: 'relnamespace' },
  pg_proc: { acl: 'proacl', owner: 'proowner', schema: 'pronamespace' },
  pg_type: { acl: 'typacl', owner: 'typowner', schema: 'typnamespace' },
  pg_namespace: { acl: 'nspacl', owner: 'nspowner' },
  pg_language: { acl: 'lanacl', owner: 'lanowner' },
  pg_foreign_data_wrapper: { acl: 'fdwacl', owner: 'fdwowner' },
  pg_foreign_server: { acl: 'srvacl', owner: 'srvowner' },
  pg_largeobject_metadata: { acl: 'lomacl', owner: 'lomowner' },
};

export async function readSourceRoles(client: Client): Promise<SourceRoles> {
  const owners = await roleNames(client, ownersSql());
  const granted = await roleNames(client, granteesSql());
  const byDefault = await roleNames(client, DEFAULT_GRANTEES);
  return {
    owners: owners.filter((name) => !isProviders(name)),
    providers: owners.filter(isProviders),
    grantees: [...new Set([...granted.filter((name) => !isProviders(name)), ...byDefault])].sort(),
    grantedProviders: granted.filter(isProviders),
    defaultPrivileges: await roleNames(client, 'SELECT defaclrole FROM pg_catalog.pg_default_acl'),
    others: await roleNames(client, OTHERS),
  };
}

async function roleNames(client: Client, oids: string): Promise<string[]> {
  const { rows } = await client.query<{ rolname: string }>(
    `SELECT rolname FROM pg_catalog.pg_roles WHERE oid IN (${oids}) ORDER BY rolname::text COLLATE "C"`,
  );
  return rows.map((row) => row.rolname);
}

function ownersSql(): string {
  const objects = Object.entries(OWNERS).map(([catalog, { owner, schema }]) => {
    const inSchema = schema === undefined ? '' : `AND ${isMigratedSchema(`o.${schema}`)}`;
    const notOurs = catalog === 'pg_publication' ? `AND ${isNotOurs('o.pubname')}` : '';
    return `SELECT o.${owner} FROM pg_catalog.${catalog} o WHERE ${isUserMade('o')} ${inSchema} ${notOurs}`;
  });
  // the public schema's owner is dumped only where it is not the one that initdb gave it
  const schemas = `SELECT o.nspowner FROM pg_catalog.pg_namespace o
                    WHERE ${isUserMade('o')} AND ${isMigratedSchema('o.oid')}
                       OR o.nspname = 'public' AND ${isGivenAway('o')}`;
  const rest = [
    schemas,
    'SELECT lomowner FROM pg_catalog.pg_largeobject_metadata',
    'SELECT datdba FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()',
  ];
  return [...objects, ...rest].join(' UNION ');
}

/** Rights that initdb or an extension's script gave are not dumped, nor are an owner's own; those on the server's objects are left out. */
function granteesSql(): string {
  const objects = Object.entries(ACLS).map(
    ([catalog, { acl, owner, schema }]) => `
      SELECT role FROM pg_catalog.${catalog} o
       CROSS JOIN LATERAL pg_catalog.aclexplode(o.${acl}) AS entry
       CROSS JOIN LATERAL (VALUES (entry.grantee), (entry.grantor)) AS party(role)
       WHERE party.role <> o.${owner}
         ${catalog === 'pg_namespace' ? `AND ${isUsersSchema('o.nspname')}` : ''}
         ${schema === undefined ? '' : `AND o.${schema} <> 'pg_catalog'::pg_catalog.regnamespace AND ${isMigratedSchema(`o.${schema}`)}`}
         AND ${WAS_GRANTED}`,
  );
  const columns = `SELECT role FROM pg_catalog.pg_attribute a
                     JOIN pg_catalog.pg_class o ON o.oid = a.attrelid
                    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS entry
                    CROSS JOIN LATERAL (VALUES (entry.grantee), (entry.grantor)) AS party(role)
                    WHERE party.role <> o.relowner AND ${isUserMade('o')} AND ${isMigratedSchema('o.relnamespace')}`;
  const database = `SELECT entry.grantee FROM pg_catalog.pg_database d
                     CROSS JOIN LATERAL pg_catalog.aclexplode(d.datacl) AS entry
                     WHERE d.datname = pg_catalog.current_database() AND entry.grantee <> d.datdba`;
  return [...objects, columns, database].join(' UNION ');
}

const DEFAULT_GRANTEES = `
  SELECT defaclrole FROM pg_catalog.pg_default_acl
  UNION SELECT role FROM pg_catalog.pg_default_acl o
         CROSS JOIN LATERAL pg_catalog.aclexplode(o.defaclacl) AS entry
         CROSS JOIN LATERAL (VALUES (entry.grantee), (entry.grantor)) AS party(role)
         WHERE party.role <> o.defaclrole`;

const OTHERS = `
  SELECT pg_catalog.unnest(polroles) FROM pg_catalog.pg_policy
  UNION SELECT umuser FROM pg_catalog.pg_user_mappings
  UNION SELECT s.setrole FROM pg_catalog.pg_db_role_setting s
          JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
         WHERE d.datname = pg_catalog.current_database()`;

function isMigratedSchema(oid: string): string {
  return `${oid} NOT IN (SELECT s.oid FROM pg_catalog.pg_namespace s
                          WHERE s.nspname = '${LEDGER_SCHEMA}' OR s.nspname ~ '^pg_(toast|temp)'
                             OR NOT (${isUsersSchema('s.nspname')}))`;
}
