import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { databaseProperties, type DatabaseProperties, type DatabaseSetting } from '../catalog';
import { quoteLiteral, withConnection, type Endpoint } from '../connect';
import { once, type LedgerIdentity } from '../ledger';
import { applySetting, onThisDatabase, planSettings, type SkippedSetting } from './database-settings';

/** The ledger's row of {@link applyDatabaseProperties}. */
export const PROPERTIES_STEP = { kind: 'phase', key: 'database-properties' };

/** What the ledger keeps from then on, so that the release needs the source no more. */
export interface PropertiesDetail {
  properties: DatabaseProperties;
  skipped: SkippedSetting[];
}

/** They would bind our own sessions while the migration runs, so they come with the release. */
const LATE_SETTINGS = new Set([
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'lock_timeout',
  'role',
  'session_authorization',
  'session_replication_role',
  'statement_timeout',
  'transaction_timeout',
]);

export function isLateSetting(setting: DatabaseSetting): boolean {
  return LATE_SETTINGS.has(setting.name.toLowerCase());
}

/**
 * Gives the target database its comment and those settings that expressions may depend on while data is loaded, and
 * notes all properties of the source in the ledger for the release. What only an owner may do is left out where
 * the database stood there already and is somebody else's.
 *
 * @returns the settings left out, each with its rule; the same at every repetition.
 */
export async function applyDatabaseProperties(args: {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  signal: AbortSignal;
}): Promise<{ skipped: SkippedSetting[] }> {
  const { source, target, database, identity, signal } = args;
  const properties = await withConnection(source, database, signal, databaseProperties);
  return await withConnection(target, database, signal, async (client) => {
    await once(client, identity, PROPERTIES_STEP, () => applyEarlyProperties(client, properties));
    return { skipped: (await readPropertiesDetail(client)).skipped };
  });
}

/**
 * Must run inside a transaction that holds the ledger's row of {@link PROPERTIES_STEP}.
 *
 * @returns the settings that the database has now
 */
export async function applyEarlyProperties(
  client: Client,
  properties: DatabaseProperties,
): Promise<{ applied: DatabaseSetting[] }> {
  const { apply, skipped } = await planSettings(client, properties.settings);
  const detail: PropertiesDetail = { properties, skipped };
  await client.query('UPDATE flexlift.step SET detail = $3 WHERE kind = $1 AND key = $2', [
    PROPERTIES_STEP.kind,
    PROPERTIES_STEP.key,
    JSON.stringify(detail),
  ]);
  if (!(await ownsDatabase(client))) return { applied: [] };
  await onThisDatabase(client, 'COMMENT ON DATABASE ', ` IS ${commentText(properties.comment)}`);
  const applied = apply.filter((each) => !isLateSetting(each));
  for (const setting of applied) await applySetting(client, setting);
  return { applied };
}

/** @throws FlexliftError LedgerForeign where {@link applyDatabaseProperties} did not run. */
export async function readPropertiesDetail(client: Client): Promise<PropertiesDetail> {
  const { rows } = await client.query<{ detail: PropertiesDetail }>(
    'SELECT detail FROM flexlift.step WHERE kind = $1 AND key = $2',
    [PROPERTIES_STEP.kind, PROPERTIES_STEP.key],
  );
  const [row] = rows;
  if (row !== undefined) return row.detail;
  throw new FlexliftError({
    code: 'LedgerForeign',
    sentence: 'The ledger does not know what the source database is like.',
    remedy: 'Start the migration anew with --overwrite.',
  });
}

export async function ownsDatabase(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ owns: boolean }>(
    `SELECT pg_catalog.pg_has_role(datdba, 'USAGE') AS owns
       FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()`,
  );
  return rows[0]?.owns === true;
}

function commentText(comment: string | undefined): string {
  return comment === undefined ? 'NULL' : quoteLiteral(comment);
}
