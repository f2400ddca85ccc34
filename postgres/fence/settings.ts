import type { Client } from 'pg';
import { PROVIDER_ROLES } from '../catalog';
import { READ_ONLY, type Fence } from './fence';

type FencedSettings = Pick<Fence, 'raisedAt' | 'database' | 'roles' | 'subscriptions'>;

/**
 * What the fence is going to change. Of a role's settings the one in this database wins over the one in all, and either
 * over the database's own (`process_settings` in postinit.c). Those of a provider's superusers are left alone: RDS gives
 * `rdsadmin` one that nobody may alter.
 */
export async function readFencedSettings(client: Client): Promise<FencedSettings> {
  const { rows } = await client.query<Omit<FencedSettings, 'raisedAt'> & { now: Date }>(FENCED_SETTINGS, [
    PROVIDER_ROLES,
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error('a query without a source of rows gave none');
  const { now, ...settings } = row;
  return { raisedAt: now.toISOString(), ...settings };
}

const FENCED_SETTINGS = `
  WITH here AS (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
  own AS (
    SELECT s.setrole AS role, s.setdatabase <> 0 AS is_here,
           pg_catalog.substr(entry, pg_catalog.strpos(entry, '=') + 1) AS value
      FROM pg_catalog.pg_db_role_setting s
     CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS entry
     WHERE pg_catalog.starts_with(entry, '${READ_ONLY}=') AND s.setdatabase IN (SELECT 0 UNION ALL SELECT oid FROM here)),
  winning AS (SELECT DISTINCT ON (role) role, is_here, value FROM own
               WHERE role <> 0 AND pg_catalog.pg_get_userbyid(role) <> ALL ($1::pg_catalog.name[])
               ORDER BY role, is_here DESC)
  SELECT pg_catalog.clock_timestamp() AS now,
         (SELECT value FROM own WHERE role = 0 AND is_here) AS database,
         (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                   'role', role::pg_catalog.int8, 'value', CASE WHEN is_here THEN value END) ORDER BY role), '[]')
            FROM winning WHERE NOT value::pg_catalog.bool) AS roles,
         (SELECT COALESCE(pg_catalog.jsonb_agg(subname ORDER BY subname), '[]')
            FROM pg_catalog.pg_subscription WHERE subenabled AND subdbid IN (SELECT oid FROM here)) AS subscriptions`;
