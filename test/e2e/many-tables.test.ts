import { DEFAULT_LIMITS } from '../../contract';
import { TEST_ALL } from '../support/all';
import { Migrations, testRequest } from '../support/migration';
import { replay } from '../support/replay';
import { createTestDatabase, dropTestDatabase, testAddress, withSession } from '../support/servers';
import { WorkerProcess } from '../support/worker-process';

/** Thousands of small tables beside one large: a few activities and a bounded worker. `test:all`: 2,000 and 1 GB. */
const TABLES = TEST_ALL ? 2_000 : 300;
const LARGE_ROWS = TEST_ALL ? 4_500_000 : 100_000;

let migrations: Migrations;
let database: string;

beforeAll(async () => {
  migrations = await Migrations.connect();
  database = await createTestDatabase(14, 'many');
  await withSession(14, database, async (client) => {
    await client.query(`
      DO $$ BEGIN FOR i IN 1..${TABLES} LOOP
        EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, note text)', i);
        EXECUTE format('INSERT INTO t%s SELECT g, repeat(''x'', 20) FROM generate_series(1, 5) g', i);
        EXECUTE format('CREATE INDEX ON t%s (note)', i);
        IF i % 500 = 0 THEN COMMIT; END IF;
      END LOOP; END $$`);
    await client.query(`
      CREATE TABLE large AS SELECT i AS id, repeat(chr(65 + i % 26), 200) AS body FROM generate_series(1, ${LARGE_ROWS}) i`);
    await client.query('CREATE INDEX ON large (id)');
  });
}, 300_000);
afterAll(async () => {
  await dropTestDatabase(14, database);
  await dropTestDatabase(17, database);
  await migrations.close();
});

it('many tables make small histories', async () => {
  const request = testRequest(testAddress(14), testAddress(17), {
    databases: [database],
    limits: { ...DEFAULT_LIMITS, partBytes: TEST_ALL ? 64 * 1024 ** 2 : 4 * 1024 ** 2 },
  });
  const worker = WorkerProcess.start({ pool: request.pool });
  try {
    const handle = await migrations.start(request);
    const status = await handle.result();
    expect(status.failure).toBeUndefined();
    expect(status.databases[0]).toMatchObject({ state: 'Succeeded', tablesTotal: TABLES + 1 });
    await replay(migrations, handle);
    const eventsOf = async (workflowId: string) =>
      (await migrations.client.workflow.getHandle(workflowId).fetchHistory()).events ?? [];
    const databaseId = `${handle.workflowId}/db/${database}`;
    expect((await eventsOf(`${databaseId}/load`)).length).toBeLessThan(400);

    // the migration hears of short phases together
    const told = (await eventsOf(handle.workflowId)).filter(
      (event) => event.workflowExecutionSignaledEventAttributes != null,
    );
    const seconds = (Date.parse(status.endedAt ?? '') - Date.parse(status.startedAt)) / 1_000;
    // those that are told at once: the load, the phase behind it, the end
    expect(told.length).toBeLessThan(seconds + 4);

    // without materialized views statistics are made once
    const steps = (await eventsOf(databaseId)).flatMap(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? [],
    );
    expect(steps.filter((step) => step === 'analyze')).toHaveLength(1);
  } finally {
    await worker.kill();
  }
}, 900_000);
