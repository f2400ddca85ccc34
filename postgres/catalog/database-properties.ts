import type { Client } from 'pg';
import { isProvidersRole } from './provider-roles';

/** `pg_database.datlocprovider`; `libc` is all there is before 15, `builtin` exists from 17. */
export type LocaleProvider = 'libc' | 'icu' | 'builtin';

export interface DatabaseSetting {
  name: string;
  /** As `pg_db_role_setting` holds it. */
  value: string;
  /** Absent: for all roles in this database. */
  role?: string;
}

export interface DatabaseGrant {
  /** Absent: PUBLIC. */
  grantee?: string;
  /** CREATE, CONNECT or TEMPORARY. */
  privilege: string;
  grantable: boolean;
}

export interface DatabaseProperties {
  encoding: string;
  collate: string;
  ctype: string;
  provider: LocaleProvider;
  /** The ICU or builtin provider's locale. */
  locale?: string;
  icuRules?: string;
  owner: string;
  /** -1: none. */
  connectionLimit: number;
  comment?: string;
  settings: DatabaseSetting[];
  /** Where nothing was ever granted or revoked, the built-in default. */
  grants: DatabaseGrant[];
}

interface Row {
  properties: Record<string, string | number | null>;
  encoding: string;
  owner: string;
  comment: string | null;
}

const PROVIDERS: Record<string, LocaleProvider> = { c: 'libc', i: 'icu', b: 'builtin' };

/**
 * What the connected database is, beside its contents. It has to be asked itself, since its comment and settings are
 * in its own encoding. Its tablespace is left out: a target lays out its disks by itself.
 */
export async function databaseProperties(client: Client): Promise<DatabaseProperties> {
  // the locale's columns differ in 15, 16 and 17: a row as JSON has those that are there
  const { rows } = await client.query<Row>(
    `SELECT pg_catalog.to_jsonb(d) - 'datacl' - 'datname' AS properties,
            pg_catalog.pg_encoding_to_char(d.encoding) AS encoding,
            pg_catalog.pg_get_userbyid(d.datdba) AS owner,
            pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
       FROM pg_catalog.pg_database d
      WHERE d.datname = pg_catalog.current_database()`,
  );
  const row = rows[0];
  if (row === undefined) throw new Error('the connected database has no row in pg_database');
  const text = (column: string) => {
    const value = row.properties[column];
    return value === undefined || value === null ? undefined : String(value);
  };
  return {
    encoding: row.encoding,
    collate: text('datcollate') ?? 'C',
    ctype: text('datctype') ?? 'C',
    provider: PROVIDERS[text('datlocprovider') ?? 'c'] ?? 'libc',
    locale: text('datlocale') ?? text('daticulocale'),
    icuRules: text('daticurules'),
    owner: row.owner,
    connectionLimit: Number(row.properties['datconnlimit'] ?? -1),
    comment: row.comment ?? undefined,
    settings: await readSettings(client),
    grants: await readGrants(client),
  };
}

async function readSettings(client: Client): Promise<DatabaseSetting[]> {
  const { rows } = await client.query<{ setting: string; role: string | null }>(
    `SELECT entry.setting, r.rolname AS role
       FROM pg_catalog.pg_db_role_setting s
       JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
       LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
      CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS entry(setting, number)
      WHERE d.datname = pg_catalog.current_database()
      ORDER BY r.rolname NULLS FIRST, entry.number`,
  );
  return rows.map(({ setting, role }) => {
    const equals = setting.indexOf('=');
    const read = { name: setting.slice(0, equals), value: setting.slice(equals + 1) };
    return role === null ? read : { ...read, role };
  });
}

async function readGrants(client: Client): Promise<DatabaseGrant[]> {
  const { rows } = await client.query<{ grantee: string | null; privilege: string; grantable: boolean }>(
    `SELECT CASE WHEN entry.grantee <> 0 THEN pg_catalog.pg_get_userbyid(entry.grantee) END AS grantee,
            entry.privilege_type AS privilege,
            pg_catalog.bool_or(entry.is_grantable) AS grantable
       FROM pg_catalog.pg_database d
      CROSS JOIN LATERAL pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) AS entry
      WHERE d.datname = pg_catalog.current_database()
        AND (entry.grantee = d.datdba OR NOT ${isProvidersRole('entry.grantee')})
      GROUP BY entry.grantee, entry.privilege_type
      ORDER BY 1 NULLS FIRST, 2`,
  );
  return rows.map(({ grantee, ...grant }) => (grantee === null ? grant : { ...grant, grantee }));
}
