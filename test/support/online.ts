import { WorkflowUpdateFailedError } from '@temporalio/client';
import {
  CUTOVER_UPDATE,
  SOURCE_OBJECT_PATTERN,
  type CutoverRequest,
  type DatabaseStatus,
  type MigrationStatus,
} from '../../contract';
import { eventually } from './eventually';
import type { MigrationHandle } from './migration';
import { withSession, type Major } from './servers';

export const CUTOVER: CutoverRequest = { fence: 'read-only', maxLagBytes: 64 * 1024 ** 2 };

/** Waits until the one database of the migration is in that state of its replication. */
export async function untilReplication(handle: MigrationHandle, state: string): Promise<DatabaseStatus> {
  let last: DatabaseStatus | undefined;
  await eventually(
    `replication ${state}`,
    async () => {
      const status = await handle.query<MigrationStatus>('status');
      last = status.databases[0];
      if (status.endedAt !== undefined) throw new Error(`ended: ${JSON.stringify(status.failure)}`);
      return last?.phase === 'Replicate' && last.replication?.state === state;
    },
    { timeout: 120_000 },
  );
  return last as DatabaseStatus;
}

/** Cuts over and waits for the end of the try. */
export async function cutOver(
  handle: MigrationHandle,
  change: Partial<CutoverRequest> = {},
): Promise<DatabaseStatus> {
  const status = await handle.executeUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE, {
    args: [{ ...CUTOVER, ...change }],
  });
  return status.databases[0] as DatabaseStatus;
}

/** The sentence of an update that was refused. */
export async function refusalOf(update: Promise<unknown>): Promise<string> {
  try {
    await update;
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError) return error.cause?.message ?? error.message;
    throw error;
  }
  throw new Error('the update was accepted');
}

/** Every table's rows as one text each, in an order that is the same on both sides. */
export async function contentOf(major: Major, database: string): Promise<Record<string, string>> {
  return await withSession(major, database, async (client) => {
    await client.query(`SET extra_float_digits = 3; SET TimeZone = 'UTC'; SET statement_timeout = 0`);
    const tables = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
        WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'flexlift') AND schemaname !~ $1 ORDER BY 1`,
      [SOURCE_OBJECT_PATTERN],
    );
    const content: Record<string, string> = {};
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ n: string; hash: string }>(
        `SELECT count(*) AS n, COALESCE(sum(hashtext(t::text)::numeric), 0) AS hash FROM ONLY ${name} t`,
      );
      content[name] = `${rows[0]?.n} rows, ${rows[0]?.hash}`;
    }
    return content;
  });
}

/** All that a migration could have left on its source: slots, publications, schemas, settings, sessions. */
export async function leftOnSource(major: Major, database: string, migrationId: string): Promise<string[]> {
  return await withSession(major, database, async (client) => {
    const { rows } = await client.query<{ what: string }>(
      `SELECT 'slot ' || slot_name AS what FROM pg_replication_slots WHERE slot_name ~ $1
       UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname ~ $1
       UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname ~ $1
       UNION ALL SELECT 'setting ' || array_to_string(setconfig, ',') FROM pg_db_role_setting
                   JOIN pg_database d ON d.oid = setdatabase WHERE datname = current_database()
       UNION ALL SELECT 'session ' || application_name FROM pg_stat_activity WHERE application_name LIKE $2
       UNION ALL SELECT 'identity of ' || oid::regclass FROM pg_class
                  WHERE relreplident <> 'd' AND relkind = 'r' AND oid >= 16384`,
      [`^flexlift_${migrationId}`, `flexlift:${migrationId}:%`],
    );
    return rows.map((row) => row.what);
  });
}
