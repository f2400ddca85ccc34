import { Client } from 'pg';
import {
  ABORT_CUTOVER_UPDATE,
  databaseWorkflowId,
  RECOPY_UPDATE,
  STATUS_QUERY,
  type DatabasesRequest,
  type DatabaseStatus,
  type MigrationStatus,
  type Phase,
  type RecopyRequest,
} from '../../contract';
import { TEST_ALL } from '../support/all';
import { eventually } from '../support/eventually';
import { TEST_TIMEOUTS, type MigrationHandle } from '../support/migration';
import { cutOver, expectReleased, isFenced, untilReplication, useOnlineMigrations } from '../support/online';
import { run, testAddress, withSession } from '../support/servers';

const MAJORS = { source: 15, target: 17 } as const;

/** What a cutover waits for. */
interface Hold {
  /** What the cutover shows meanwhile. */
  phase: Phase;
  side: keyof typeof MAJORS;
  sql: string;
}

interface Holder {
  side: Hold['side'];
  pid: number;
}

const onSource = (phase: Phase, sql: string): Hold => ({ phase, side: 'source', sql });
const onTarget = (phase: Phase, sql: string): Hold => ({ phase, side: 'target', sql });

/** The ledger's row of them. */
const PROPERTIES = `SELECT FROM flexlift.step WHERE key = 'database-properties' FOR UPDATE`;
const PROVE = onTarget('Prove', 'LOCK TABLE quiet IN ACCESS EXCLUSIVE MODE');
const FENCE = onSource('Fence', 'LOCK TABLE pg_catalog.pg_publication IN SHARE MODE');
const DRAIN = onTarget('Drain', 'LOCK TABLE big IN SHARE MODE');
/**
 * A view's query cannot be read meanwhile. The table has no rows of its own, which would have to be proven before. New
 * sessions would wait for a catalog, too, at times.
 */
const COMPARE_CATALOG = onTarget('CompareCatalog', 'LOCK TABLE viewed IN ACCESS EXCLUSIVE MODE');

/** In the order of the steps. Each hold is taken while the one before it holds, which is let go then. */
const HOLDS: Partial<Record<Phase, [Hold, ...Hold[]]>> = {
  Prove: [PROVE],
  PrepareCutover: [onTarget('PrepareCutover', PROPERTIES)],
  Fence: [FENCE],
  Drain: [FENCE, DRAIN],
  Sequences: [onTarget('Sequences', 'ALTER SEQUENCE numbers INCREMENT 1')],
  // the comparison waits for its table, and is shown
  LateRows: [FENCE, onTarget('Compare', 'LOCK TABLE cache IN ACCESS EXCLUSIVE MODE')],
  Compare: [FENCE, DRAIN, onSource('Compare', 'LOCK TABLE big IN ACCESS EXCLUSIVE MODE')],
  PostData: [onTarget('PostData', 'LOCK TABLE big IN ROW EXCLUSIVE MODE')],
  MaterializedViews: [onTarget('MaterializedViews', 'EXPLAIN SELECT FROM kinds')],
  CompareCatalog: [COMPARE_CATALOG],
  // the applier could not move the ledger past the marker
  LastLook: [COMPARE_CATALOG, onTarget('LastLook', 'LOCK TABLE flexlift.stream IN SHARE MODE')],
};

const holders: Client[] = [];

// first of all: what is done after a test waits for locks, too
afterEach(() => letGo());

const { shop, start } = useOnlineMigrations(MAJORS.source, MAJORS.target);

async function take({ side, sql }: Hold): Promise<Holder> {
  const { host, port, user } = testAddress(MAJORS[side]);
  const client = new Client({ host, port, user, database: shop.database });
  client.on('error', () => undefined);
  await client.connect();
  holders.push(client);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await client.query(`BEGIN READ WRITE; ${sql}`);
  return { side, pid: rows[0]?.pid ?? 0 };
}

/** All but the newest so many. */
async function letGo(keep = 0): Promise<void> {
  const over = holders.splice(0, holders.length - keep);
  await Promise.all(over.map((client) => client.end()));
}

/** Until the cutover shows that step under way, and waits for what is held. */
async function untilHeld(handle: MigrationHandle, phase: Phase, { side, pid }: Holder): Promise<void> {
  let last: DatabaseStatus | undefined;
  await eventually(
    `the cutover held at ${phase}`,
    async () => {
      last = (await handle.query<MigrationStatus>(STATUS_QUERY)).databases[0];
      return last?.cutover?.underWay?.includes(phase) === true && (await isWaitedFor(side, pid));
    },
    { interval: 20, seen: () => JSON.stringify(last) },
  );
}

async function isWaitedFor(side: Hold['side'], pid: number): Promise<boolean> {
  return await withSession(MAJORS[side], shop.database, async (client) => {
    const { rowCount } = await client.query(
      `SELECT FROM pg_stat_activity
        WHERE $1 = ANY (pg_blocking_pids(pid)) AND starts_with(application_name, 'flexlift:')`,
      [pid],
    );
    return rowCount !== 0;
  });
}

/** @returns the cutover's end; it comes when what is held is let go */
async function heldBy(
  handle: MigrationHandle,
  [first, ...others]: [Hold, ...Hold[]],
): Promise<{ end: Promise<DatabaseStatus> }> {
  let holder = await take(first);
  const end = cutOver(handle);
  let { phase } = first;
  for (const hold of others) {
    await untilHeld(handle, phase, holder);
    holder = await take(hold);
    ({ phase } = hold);
    await letGo(1);
  }
  await untilHeld(handle, phase, holder);
  return { end };
}

async function abort(handle: MigrationHandle): Promise<DatabaseStatus> {
  const before = await abortsHeard(handle);
  const status = handle.executeUpdate<MigrationStatus, [DatabasesRequest]>(ABORT_CUTOVER_UPDATE, {
    args: [{}],
  });
  await eventually('the database to hear of it', async () => (await abortsHeard(handle)) > before);
  // what it undoes may wait for the same lock
  await letGo();
  return (await status).databases[0] as DatabaseStatus;
}

async function abortsHeard({ workflowId }: MigrationHandle): Promise<number> {
  const database = databaseWorkflowId(workflowId, shop.database);
  const { events } = await shop.migrations.client.workflow.getHandle(database).fetchHistory();
  const signals = (events ?? []).map((event) => event.workflowExecutionSignaledEventAttributes?.signalName);
  return signals.filter((name) => name === ABORT_CUTOVER_UPDATE).length;
}

/** It is to be proven anew then, which the replication does not do so soon. */
async function copyAnew(handle: MigrationHandle, table: string): Promise<void> {
  await handle.executeUpdate<MigrationStatus, [RecopyRequest]>(RECOPY_UPDATE, { args: [{ table }] });
  await withSession(MAJORS.target, shop.database, (client) =>
    eventually('the new copy', async () => {
      const { rowCount } = await client.query(
        `SELECT FROM flexlift.table_load JOIN flexlift.part USING (table_oid)
          WHERE table_name = $1 AND stream_state = 'applied' AND copies > 1 AND copied_at IS NOT NULL`,
        [table],
      );
      return rowCount === 1;
    }),
  );
  const database = shop.migrations.client.workflow.getHandle(
    databaseWorkflowId(handle.workflowId, shop.database),
  );
  await eventually('the end of its load', async () => {
    const { raw } = await database.describe();
    return raw.pendingChildren?.length === 1;
  });
}

/** The last one before the release always: there is the least time to hear of it. */
const TESTED = Object.entries(HOLDS).filter(([step]) => TEST_ALL || step === 'LastLook');

it('a cutover that is called off at any of its steps leaves all as it was, and the next one succeeds', async () => {
  await run(
    MAJORS.source,
    shop.database,
    'CREATE TABLE quiet (id int PRIMARY KEY); INSERT INTO quiet VALUES (1)',
    `CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text); INSERT INTO cache VALUES (1, 'one')`,
    'CREATE TABLE viewed (id int) PARTITION BY LIST (id); CREATE VIEW viewing AS SELECT id FROM viewed',
  );
  const migration = await start({ timeouts: { ...TEST_TIMEOUTS, proof: 600_000 } });
  const { handle, writer } = migration;
  shop.startWorker(migration.request.pool);
  await untilReplication(handle, 'ReadyForCutover');
  await copyAnew(handle, 'quiet');
  for (const [step, holds] of TESTED) {
    await untilReplication(handle, 'ReadyForCutover');
    const cutover = await heldBy(handle, holds);
    const aborted = await abort(handle);
    expect(aborted.cutover).toMatchObject({
      state: 'CalledOff',
      failure: { code: 'CutoverRefused', sentence: 'The cutover was called off by request.' },
    });
    expect([step, (await cutover.end).cutover?.state]).toEqual([step, 'CalledOff']);
    expect(await isFenced(MAJORS.source, shop.database)).toBe(false);
    const before = writer.committed;
    await eventually('the application writes again', () => Promise.resolve(writer.committed > before + 5));
  }

  await untilReplication(handle, 'ReadyForCutover');
  const cutover = await heldBy(handle, [onTarget('Release', 'SELECT FROM flexlift.table_load')]);
  // too late
  expect((await abort(handle)).cutover?.state).toBe('Released');
  expect((await cutover.end).cutover).toMatchObject({ state: 'Released', attempt: TESTED.length + 1 });
  await expectReleased(shop, migration, [MAJORS.source, MAJORS.target]);
});
