import { DatabaseError, type Client } from 'pg';
import type { DatabaseSetting } from '../catalog';
import { quoteIdentifier, quoteLiteral } from '../connect';

/** Why a setting of the source's database is left out on the target. */
export type SettingRule =
  /** Names a tablespace: a target lays out its disks by itself. */
  | 'tablespace-setting'
  /** The target's version does not know it. */
  | 'unknown-setting'
  /** The target's user may not set it. */
  | 'not-permitted'
  /** Set for a role that the target's user may not alter. */
  | 'role-not-alterable'
  /** The target refuses the value. */
  | 'value-refused';

export interface SkippedSetting {
  setting: DatabaseSetting;
  rule: SettingRule;
}

export function isSameSetting(one: DatabaseSetting, other: DatabaseSetting): boolean {
  return one.name === other.name && one.role === other.role;
}

/** Those that were not left out. */
export function takenSettings(settings: DatabaseSetting[], skipped: SkippedSetting[]): DatabaseSetting[] {
  return settings.filter((each) => !skipped.some(({ setting }) => isSameSetting(setting, each)));
}

export interface SettingsPlan {
  apply: DatabaseSetting[];
  skipped: SkippedSetting[];
}

const TABLESPACE_SETTINGS = new Set(['default_tablespace', 'temp_tablespaces']);

/** GUC_LIST_QUOTE: their values are lists of quoted names; see variable_is_guc_list_quote in pg_dump's dumputils.c. */
const LIST_SETTINGS = new Set([
  'local_preload_libraries',
  'search_path',
  'session_preload_libraries',
  'shared_preload_libraries',
  'unix_socket_directories',
]);

/**
 * Decides, setting by setting and by a rule with a name, what the connected target can take. Each value is tried with
 * a local SET that is rolled back, so that nothing changes. Must run inside a transaction.
 */
export async function planSettings(client: Client, settings: DatabaseSetting[]): Promise<SettingsPlan> {
  const plan: SettingsPlan = { apply: [], skipped: [] };
  for (const setting of settings) {
    const rule = await refusal(client, setting);
    if (rule === undefined) plan.apply.push(setting);
    else plan.skipped.push({ setting, rule });
  }
  return plan;
}

async function refusal(client: Client, setting: DatabaseSetting): Promise<SettingRule | undefined> {
  if (TABLESPACE_SETTINGS.has(setting.name.toLowerCase())) return 'tablespace-setting';
  if (setting.role !== undefined && !(await mayAlterRole(client, setting.role))) return 'role-not-alterable';
  if (!(await mayNameSetting(client, setting.name))) return 'not-permitted';
  await client.query('SAVEPOINT probe');
  try {
    await client.query('SELECT pg_catalog.set_config($1, $2, true)', [setting.name, setting.value]);
    return undefined;
  } catch (error) {
    return refusalOf(error);
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT probe; RELEASE SAVEPOINT probe');
  }
}

function refusalOf(error: unknown): SettingRule | undefined {
  const sqlState = error instanceof DatabaseError ? error.code : undefined;
  switch (sqlState) {
    case '42704':
    case '42602':
      return 'unknown-setting';
    case '42501':
      return 'not-permitted';
    // a session cannot change it after its start, a database can hold it for those to come
    case '55P02':
      return undefined;
    case '22023':
      return 'value-refused';
    default:
      throw error;
  }
}

/** The rule of validate_option_array_item in guc.c: a name the server does not know is a superuser's, or granted. */
async function mayNameSetting(client: Client, name: string): Promise<boolean> {
  if (!name.includes('.')) return true;
  const { rows } = await client.query<{ known: boolean; superuser: boolean; version: number }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_settings s
                     WHERE pg_catalog.lower(s.name) = pg_catalog.lower($1)) AS known,
            me.rolsuper AS superuser,
            pg_catalog.current_setting('server_version_num')::integer AS version
       FROM pg_catalog.pg_roles me WHERE me.rolname = current_user`,
    [name],
  );
  const [found] = rows;
  if (found === undefined || found.known || found.superuser) return true;
  if (found.version < 150_000) return false;
  const granted = await client.query<{ granted: boolean }>(
    `SELECT pg_catalog.has_parameter_privilege($1, 'SET') AS granted`,
    [name],
  );
  return granted.rows[0]?.granted === true;
}

/** The rule of AlterRoleSet in user.c. */
async function mayAlterRole(client: Client, role: string): Promise<boolean> {
  const { rows } = await client.query<{ allowed: boolean }>(
    `SELECT me.rolsuper OR other.oid = me.oid
            OR (me.rolcreaterole AND NOT other.rolsuper
                AND (pg_catalog.current_setting('server_version_num')::integer < 160000
                     OR pg_catalog.pg_has_role(other.oid, 'MEMBER WITH ADMIN OPTION'))) AS allowed
       FROM pg_catalog.pg_roles me, pg_catalog.pg_roles other
      WHERE me.rolname = current_user AND other.rolname = $1`,
    [role],
  );
  return rows[0]?.allowed === true;
}

/** Sets one setting of the connected database, in this transaction. */
export async function applySetting(client: Client, setting: DatabaseSetting): Promise<void> {
  await alterSettings(client, setting, ` SET ${quoteIdentifier(setting.name)} TO ${settingValue(setting)}`);
}

/** Takes one setting of the connected database away, in this transaction. */
export async function resetSetting(client: Client, setting: DatabaseSetting): Promise<void> {
  await alterSettings(client, setting, ` RESET ${quoteIdentifier(setting.name)}`);
}

async function alterSettings(client: Client, { role }: DatabaseSetting, change: string): Promise<void> {
  await onThisDatabase(
    client,
    role === undefined ? 'ALTER DATABASE ' : `ALTER ROLE ${quoteIdentifier(role)} IN DATABASE `,
    change,
  );
}

function settingValue({ name, value }: DatabaseSetting): string {
  if (!LIST_SETTINGS.has(name.toLowerCase())) return quoteLiteral(value);
  const elements = [...value.matchAll(/"((?:[^"]|"")*)"|[^,\s][^,]*/g)].map((match) =>
    quoteLiteral(match[1]?.replaceAll('""', '"') ?? match[0].trim()),
  );
  return elements.length === 0 ? `''` : elements.join(', ');
}

/**
 * Runs a command about the connected database, without its name: the name may hold characters that this database's
 * own encoding lacks, and could then not even be sent.
 */
export async function onThisDatabase(client: Client, before: string, after: string): Promise<void> {
  const name = 'pg_catalog.quote_ident(pg_catalog.current_database())';
  const body = `BEGIN EXECUTE ${quoteLiteral(before)} || ${name} || ${quoteLiteral(after)}; END`;
  await client.query(`DO ${quoteLiteral(body)}`);
}
