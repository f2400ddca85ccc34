import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  CUTOVER_UPDATE,
  DEFAULT_LIMITS,
  SOURCE_OBJECT_PATTERN,
  type CutoverRequest,
  type DatabaseStatus,
  type MigrationRequest,
  type MigrationStatus,
  type ReplicationStatus,
} from '../../contract';
import { migrationSnapshot } from '../../client/migration-snapshot';
import { liftFence } from '../../postgres/fence';
import { takeAwaySourceObjects } from '../../postgres/replicate/source';
import { useShopMigrations, type ShopMigrations } from './e2e';
import { eventually } from './eventually';
import { testRequest, TEST_TIMEOUTS, type MigrationHandle } from './migration';
import { replay } from './replay';
import { testAddress, testEndpoint, withSession, type Major } from './servers';
import { SMALL_PARTS } from './shop-like';
import { Writers } from './writers';

export const CUTOVER: CutoverRequest = {
  fence: 'read-only',
  maxLagBytes: 64 * 1024 ** 2,
  maxCompareBytes: 1024 ** 3,
};

export interface Online {
  request: MigrationRequest;
  handle: MigrationHandle;
  writer: Writers;
}

export interface OnlineMigrations {
  readonly shop: ShopMigrations;
  /** Starts a migration of the database, which is written to until the end of the test; no worker. */
  start: (change?: Partial<MigrationRequest>) => Promise<Online>;
  /** The same with a worker; waits until it is ready for the cutover. */
  startReady: () => Promise<Online>;
}

/** What a test of online migrations needs; its source is bare again after each test. */
export function useOnlineMigrations(source: Major, target: Major, rows = 20_000): OnlineMigrations {
  const shop = useShopMigrations(source, target, rows);
  const writers: Writers[] = [];
  afterEach(async () => {
    await Promise.all(writers.splice(0).map((each) => each.stop()));
    await clearSource(source, shop.database);
  });
  const start = async (change?: Partial<MigrationRequest>): Promise<Online> => {
    const request = onlineRequest(source, target, shop.database, change);
    const writer = Writers.start(source, shop.database);
    writers.push(writer);
    return { request, handle: await shop.migrations.start(request), writer };
  };
  return {
    shop,
    start,
    async startReady() {
      const migration = await start();
      shop.startWorker(migration.request.pool);
      await untilReplication(migration.handle, 'ReadyForCutover');
      return migration;
    },
  };
}

export function onlineRequest(
  source: Major,
  target: Major,
  database: string,
  change: Partial<MigrationRequest> = {},
): MigrationRequest {
  return testRequest(testAddress(source), testAddress(target), {
    mode: 'Online',
    databases: [database],
    limits: { ...DEFAULT_LIMITS, partBytes: SMALL_PARTS, groupBytes: SMALL_PARTS, copiesAtOnce: 2 },
    timeouts: { ...TEST_TIMEOUTS, segment: 4_000, proof: 3_000, watch: 500 },
    ...change,
  });
}

/** Takes away what any migration left there, so that the next test finds the source as it was. */
export async function clearSource(source: Major, database: string): Promise<void> {
  await takeAwaySourceObjects({
    source: testEndpoint(source, 'source'),
    database,
    signal: new AbortController().signal,
    liftFence: (client) => liftFence(client),
  });
}

/** Waits for the end of a migration whose cutover went through: all is equal, and only the fence is left. */
export async function expectReleased(
  { migrations, database }: Pick<ShopMigrations, 'migrations' | 'database'>,
  { handle, request, writer }: Pick<Online, 'handle' | 'request'> & { writer?: Writers },
  [source, target]: [Major, Major],
): Promise<void> {
  await writer?.stop();
  expect(await handle.result()).toMatchObject({
    state: 'Succeeded',
    databases: [{ state: 'Succeeded', differences: [], cutover: { state: 'Released' }, sourceObjects: [] }],
  });
  expect(await contentOf(target, database)).toEqual(await contentOf(source, database));
  await replay(migrations, handle);
  const left = await leftOnSource(source, database, request.migrationId);
  expect(left.sort()).toEqual([
    `publication flexlift_${request.migrationId}_fence`,
    'setting default_transaction_read_only=on',
  ]);
}

/**
 * Waits until the live figures of the one database's replication are so; what a person sees in `flexlift show`. Long: a
 * snapshot waits for every transaction on its server, those of other tests too.
 */
export async function untilLive(
  handle: MigrationHandle,
  what: string,
  probe: (replication: ReplicationStatus) => boolean,
  timeout = 60_000,
): Promise<ReplicationStatus> {
  return await eventually(
    what,
    async () => {
      const { status } = await migrationSnapshot(handle);
      const replication = status?.databases[0]?.replication;
      return replication !== undefined && probe(replication) ? replication : undefined;
    },
    { timeout, interval: 100 },
  );
}

/** Waits until a database, or the only one, of the migration is in that state of its replication. */
export async function untilReplication(
  handle: MigrationHandle,
  state: string,
  database?: string,
): Promise<DatabaseStatus> {
  let last: DatabaseStatus | undefined;
  await eventually(
    `replication ${state}`,
    async () => {
      // a worker that has just been started may take longer than a query has patience
      const status = await handle.query<MigrationStatus>('status').catch(() => undefined);
      if (status === undefined) return false;
      last = statusOf(status, database);
      if (status.endedAt !== undefined) throw new Error(`ended: ${endOf(status)}`);
      return last?.phase === 'Replicate' && last.replication?.state === state;
    },
    { timeout: 120_000, seen: () => JSON.stringify(last) },
  );
  return last as DatabaseStatus;
}

/** Of the only one where none is named. */
function statusOf({ databases }: MigrationStatus, name = databases[0]?.database): DatabaseStatus | undefined {
  return databases.find(({ database }) => database === name);
}

function endOf({ state, failure, findings }: MigrationStatus): string {
  return JSON.stringify([state, failure, findings.filter((finding) => finding.state === 'Failed')]);
}

/** Cuts over, one database or the only one, and waits for the end of the try; nobody has to hear of its failure. */
export function cutOver(
  handle: MigrationHandle,
  change: Partial<CutoverRequest> = {},
): Promise<DatabaseStatus> {
  const end = askForCutover(handle, change);
  end.catch(() => undefined);
  return end;
}

async function askForCutover(
  handle: MigrationHandle,
  change: Partial<CutoverRequest>,
): Promise<DatabaseStatus> {
  const status = await handle.executeUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE, {
    args: [{ ...CUTOVER, ...change }],
  });
  return statusOf(status, change.databases?.[0]) as DatabaseStatus;
}

/**
 * Cuts over as soon as it is not refused any more: the last try may still be being called off, and tables that were copied
 * anew have to catch up first.
 */
export async function untilCutOver(handle: MigrationHandle): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { state, code } = await cutOver(handle).then(
      ({ cutover }) => ({ state: cutover?.state, code: cutover?.failure?.code }),
      (error: unknown) => ({ state: undefined, code: refusalCode(error) }),
    );
    if (state === 'Released') return;
    expect(code).toBe('CutoverRefused');
    expect(attempt).toBeLessThan(100);
    await pause(250);
  }
}

function refusalCode(error: unknown): string {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (cause instanceof ApplicationFailure && typeof cause.type === 'string') return cause.type;
  throw error;
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

/** By the setting of its database; a new session tells. */
export async function isFenced(major: Major, database: string): Promise<boolean> {
  return await withSession(major, database, async (client) => {
    const { rows } = await client.query<{ on: string }>(
      `SELECT current_setting('default_transaction_read_only') AS on`,
    );
    return rows[0]?.on === 'on';
  });
}

/** By hand, while whoever reads it comes back again and again. */
export async function dropSlot(
  source: Major,
  { request: { migrationId, databases } }: Pick<Online, 'request'>,
): Promise<void> {
  const pattern = `^flexlift_${migrationId}_[0-9a-f]{8}$`;
  await withSession(source, databases?.[0] ?? '', async (client) => {
    for (;;) {
      await client.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name ~ $1 AND active',
        [pattern],
      );
      try {
        await client.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name ~ $1',
          [pattern],
        );
        return;
      } catch {
        // the applier was faster
      }
    }
  });
}
