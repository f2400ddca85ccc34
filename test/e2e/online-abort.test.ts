import { Client } from 'pg';
import {
  ABORT_CUTOVER_UPDATE,
  STATUS_QUERY,
  type DatabasesRequest,
  type DatabaseStatus,
  type MigrationStatus,
  type Phase,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import type { MigrationHandle } from '../support/migration';
import { cutOver, expectReleased, isFenced, untilReplication, useOnlineMigrations } from '../support/online';
import { run, testAddress } from '../support/servers';

const MAJORS = { source: 15, target: 17 } as const;

/** What keeps a cutover from going on. */
interface Hold {
  /** The step that it is taken at, and the hold before it let go; absent: before the cutover. */
  at?: Phase;
  side: keyof typeof MAJORS;
  sql: string;
}

const FENCE: Hold = { side: 'source', sql: `SELECT pg_advisory_xact_lock(hashtext('flexlift fence'))` };
const DRAIN: Hold[] = [FENCE, { at: 'Fence', side: 'target', sql: 'LOCK TABLE big IN SHARE MODE' }];
const CATALOG: Hold = {
  side: 'target',
  sql: 'LOCK TABLE pg_catalog.pg_ts_template IN ACCESS EXCLUSIVE MODE',
};

/** In the order of the steps. */
const HOLDS: [Phase, Hold[]][] = [
  ['Prove', [{ side: 'target', sql: 'LOCK TABLE quiet IN ACCESS EXCLUSIVE MODE' }]],
  ['PrepareCutover', [{ ...CATALOG, side: 'source' }]],
  ['Fence', [FENCE]],
  ['Drain', DRAIN],
  ['Sequences', [{ side: 'target', sql: 'ALTER SEQUENCE numbers INCREMENT 1' }]],
  ['LateRows', [{ side: 'target', sql: 'LOCK TABLE cache IN ACCESS EXCLUSIVE MODE' }]],
  ['Compare', [...DRAIN, { at: 'Drain', side: 'source', sql: 'LOCK TABLE big IN ACCESS EXCLUSIVE MODE' }]],
  ['PostData', [{ side: 'target', sql: 'LOCK TABLE big IN ROW EXCLUSIVE MODE' }]],
  ['MaterializedViews', [{ side: 'target', sql: 'EXPLAIN SELECT FROM kinds' }]],
  ['CompareCatalog', [CATALOG]],
  [
    'LastLook',
    [CATALOG, { at: 'CompareCatalog', side: 'target', sql: 'LOCK TABLE flexlift.step IN SHARE MODE' }],
  ],
];

const { shop, start } = useOnlineMigrations(MAJORS.source, MAJORS.target);
const holders: Client[] = [];

afterEach(() => letGo());

async function take({ side, sql }: Hold): Promise<void> {
  const { host, port, user } = testAddress(MAJORS[side]);
  const client = new Client({ host, port, user, database: shop.database });
  client.on('error', () => undefined);
  await client.connect();
  holders.push(client);
  await client.query(`BEGIN READ WRITE; ${sql}`);
}

/** All but the newest so many. */
async function letGo(keep = 0): Promise<void> {
  const over = holders.splice(0, holders.length - keep);
  await Promise.all(over.map((client) => client.end()));
}

async function untilAt(handle: MigrationHandle, phase: Phase): Promise<void> {
  let last: DatabaseStatus | undefined;
  await eventually(
    `the cutover at ${phase}`,
    async () => {
      last = (await handle.query<MigrationStatus>(STATUS_QUERY)).databases[0];
      return last?.phase === phase;
    },
    { interval: 20, seen: () => JSON.stringify(last) },
  );
}

/** @returns the cutover's end; it comes when the holds are let go */
async function heldAt(
  handle: MigrationHandle,
  phase: Phase,
  holds: Hold[],
): Promise<Promise<DatabaseStatus>[]> {
  let cutover: Promise<DatabaseStatus> | undefined;
  for (const hold of holds) {
    if (hold.at !== undefined) {
      cutover ??= cutOver(handle);
      await untilAt(handle, hold.at);
    }
    await take(hold);
    await letGo(1);
  }
  cutover ??= cutOver(handle);
  await untilAt(handle, phase);
  return [cutover];
}

async function abort(handle: MigrationHandle): Promise<DatabaseStatus> {
  const status = handle.executeUpdate<MigrationStatus, [DatabasesRequest]>(ABORT_CUTOVER_UPDATE, {
    args: [{}],
  });
  // what it undoes may wait for the same lock
  await letGo();
  return (await status).databases[0] as DatabaseStatus;
}

itInAll(
  'a cutover that is called off at any of its steps leaves all as it was, and the next one succeeds',
  async () => {
    await run(
      MAJORS.source,
      shop.database,
      'CREATE TABLE quiet (id int PRIMARY KEY); INSERT INTO quiet VALUES (1)',
      `CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, v text); INSERT INTO cache VALUES (1, 'one')`,
    );
    const migration = await start();
    const { handle, writer } = migration;
    shop.startWorker(migration.request.pool);
    for (const [phase, holds] of HOLDS) {
      await untilReplication(handle, 'ReadyForCutover');
      const [cutover] = await heldAt(handle, phase, holds);
      const aborted = await abort(handle);
      expect(aborted.cutover).toMatchObject({
        state: 'CalledOff',
        failure: { code: 'CutoverRefused', sentence: 'The cutover was called off by request.' },
      });
      expect([phase, (await cutover)?.cutover?.state]).toEqual([phase, 'CalledOff']);
      expect(await isFenced(MAJORS.source, shop.database)).toBe(false);
      const before = writer.committed;
      await eventually('the application writes again', () => Promise.resolve(writer.committed > before + 5));
    }

    await untilReplication(handle, 'ReadyForCutover');
    const [cutover] = await heldAt(handle, 'Release', [
      { side: 'target', sql: 'SELECT FROM flexlift.table_load' },
    ]);
    // too late
    expect((await abort(handle)).cutover?.state).toBe('Released');
    expect((await cutover)?.cutover).toMatchObject({ state: 'Released', attempt: HOLDS.length + 1 });
    await expectReleased(shop, migration, [MAJORS.source, MAJORS.target]);
  },
);
