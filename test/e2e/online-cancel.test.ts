import { setTimeout as pause } from 'node:timers/promises';
import {
  ABORT_CUTOVER_UPDATE,
  CANCEL_UPDATE,
  databaseWorkflowId,
  STATUS_QUERY,
  taskQueues,
  WORKFLOWS,
  type CancelRequest,
  type DatabasesRequest,
  type MigrationStatus,
  type OnCancel,
  type TidySourceRequest,
  RECOPY_UPDATE,
  type RecopyRequest,
} from '../../contract';
import { countSessionsOn } from '../support/active';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  clearSource,
  cutOver,
  dropSlot,
  expectReleased,
  leftOnSource,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { replay } from '../support/replay';
import { dropTestDatabase, run, testAddress, withSession } from '../support/servers';
import { TcpProxy } from '../support/tcp-proxy';

const SOURCE = 14;
const TARGET = 17;

const online = useOnlineMigrations(SOURCE, TARGET);
const { shop } = online;

function cancel({ handle }: Online, onCancel: OnCancel): Promise<MigrationStatus> {
  return handle.executeUpdate<MigrationStatus, [CancelRequest]>(CANCEL_UPDATE, { args: [{ onCancel }] });
}

async function untilCopying({ request }: Online): Promise<void> {
  const pattern = `flexlift:${request.migrationId}:copyPart:%`;
  await eventually('a part is copied', async () => (await countSessionsOn(SOURCE, pattern)) > 0, {
    interval: 5,
  });
}

/** Runs `work` while a cutover stands behind the fence: it cannot refresh a materialized view of the target. */
async function behindFence({ request, handle }: Online, work: () => Promise<void>): Promise<void> {
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; COMMENT ON MATERIALIZED VIEW kinds IS NULL');
    const cutover = cutOver(handle);
    await eventually('the cutover waits behind the fence', async () => {
      const status = await handle.query<MigrationStatus>(STATUS_QUERY);
      return status.databases[0]?.phase === 'MaterializedViews';
    });
    const left = await leftOnSource(SOURCE, shop.database, request.migrationId);
    expect(left).toContain('setting default_transaction_read_only=on');
    await work();
    expect((await cutover).cutover).toMatchObject({ state: 'CalledOff' });
  });
}

async function expectNothingLeft({ request, handle, writer }: Online, onCancel: OnCancel): Promise<void> {
  expect(await leftOnSource(SOURCE, shop.database, request.migrationId)).toEqual([]);
  expect(await countSessionsOn(TARGET, `flexlift:${request.migrationId}:%`)).toBe(0);
  const before = writer.committed;
  await eventually('the application writes', () => Promise.resolve(writer.committed > before));
  const targets = await withSession(TARGET, 'postgres', (client) =>
    client.query('SELECT FROM pg_database WHERE datname = $1', [shop.database]),
  );
  expect(targets.rowCount).toBe(onCancel === 'keep-target' ? 1 : 0);
  await replay(shop.migrations, handle);
  expect(await terminatedBelow(handle.workflowId)).toEqual([]);
}

/** Workflows that were cut off by the end of another one, and might have gone on with what they did. */
async function terminatedBelow(workflowId: string): Promise<string[]> {
  const found: string[] = [];
  const query = `RootWorkflowId = '${workflowId}' AND ExecutionStatus = 'Terminated'`;
  for await (const execution of shop.migrations.client.workflow.list({ query })) {
    found.push(execution.workflowId);
  }
  return found;
}

/** Kills the worker; another one takes its place after the cancellation was asked for. */
async function cancelWithoutWorker(migration: Online, worker: { kill(): Promise<void> }, onCancel: OnCancel) {
  await worker.kill();
  const canceled = cancel(migration, onCancel);
  await pause(300);
  shop.startWorker(migration.request.pool);
  return await canceled;
}

describe('the cancellation of an online migration', () => {
  itInAll.each([
    ['alive', 'drop-target'],
    ['dead', 'keep-target'],
  ] as const)(
    'while the source is being prepared, with its worker %s, leaves nothing there',
    async (state, onCancel) => {
      await run(SOURCE, shop.database, 'CREATE TABLE IF NOT EXISTS keyless (a int)');
      await withSession(SOURCE, shop.database, async (client) => {
        // the slot waits for whoever has written
        await client.query('BEGIN; INSERT INTO "Small 12" (id) VALUES (5000000)');
        const migration = await online.start({ keylessTables: 'full' });
        const worker = shop.startWorker(migration.request.pool);
        await eventually('the slot is being made', async () => {
          const left = await leftOnSource(SOURCE, shop.database, migration.request.migrationId);
          return left.some((what) => what.startsWith('slot '));
        });
        const canceled =
          state === 'alive' ? cancel(migration, onCancel) : cancelWithoutWorker(migration, worker, onCancel);
        expect((await canceled).state).toBe('Canceled');
        await expectNothingLeft(migration, onCancel);
        await client.query('ROLLBACK');
      });
    },
  );

  itInAll('whose replication has stopped leaves nothing on the source', async () => {
    const migration = await online.startReady();
    await dropSlot(SOURCE, migration);
    await untilReplication(migration.handle, 'Stopped');
    expect((await cancel(migration, 'drop-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'drop-target');
  });

  itInAll('while it loads leaves nothing on the source, and keeps the target', async () => {
    const migration = await online.start();
    shop.startWorker(migration.request.pool);
    await untilCopying(migration);
    expect((await cancel(migration, 'keep-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'keep-target');
  });

  itInAll('while it replicates leaves nothing on the source, and drops the target', async () => {
    const migration = await online.start();
    shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    expect((await cancel(migration, 'drop-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'drop-target');
  });

  itInAll('while a table is copied anew leaves nothing on the source', async () => {
    const migration = await online.start();
    shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    await migration.handle.executeUpdate<unknown, [RecopyRequest]>(RECOPY_UPDATE, {
      args: [{ table: 'big' }],
    });
    expect((await cancel(migration, 'drop-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'drop-target');
  });

  it('behind the fence, with its worker dead, lets the application write again', async () => {
    await run(SOURCE, shop.database, 'CREATE TABLE IF NOT EXISTS keyless (a int)');
    const migration = await online.start({ keylessTables: 'full' });
    const worker = shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    const made = await leftOnSource(SOURCE, shop.database, migration.request.migrationId);
    expect(made).toContain('identity of keyless');
    await behindFence(migration, async () => {
      expect((await cancelWithoutWorker(migration, worker, 'keep-target')).state).toBe('Canceled');
    });
    await expectNothingLeft(migration, 'keep-target');
  });

  itInAll('while it loads, with its worker dead, leaves nothing on the source', async () => {
    const migration = await online.start();
    const worker = shop.startWorker(migration.request.pool);
    await untilCopying(migration);
    expect((await cancelWithoutWorker(migration, worker, 'drop-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'drop-target');
  });

  itInAll('while it replicates, with its worker dead, leaves nothing on the source', async () => {
    const migration = await online.start();
    const worker = shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    expect((await cancelWithoutWorker(migration, worker, 'drop-target')).state).toBe('Canceled');
    await expectNothingLeft(migration, 'drop-target');
  });

  itInAll('at any moment of the cutover leaves one side that takes writes', async () => {
    for (const delay of [0, 150, 350, 600, 900, 1_300]) {
      const migration = await online.start();
      shop.startWorker(migration.request.pool);
      await untilReplication(migration.handle, 'ReadyForCutover');
      const cutover = cutOver(migration.handle);
      await pause(delay);
      const { state } = await cancel(migration, 'drop-target');
      // a cancellation that comes before the cutover's beginning leaves none
      const { state: end = 'CalledOff' } = (await cutover).cutover ?? {};
      expect(end).toBe(state === 'Canceled' ? 'CalledOff' : 'Released');
      if (state === 'Canceled') await expectNothingLeft(migration, 'drop-target');
      else await expectReleased(shop, migration, [SOURCE, TARGET]);
      await migration.writer.stop();
      await clearSource(SOURCE, shop.database);
      await dropTestDatabase(TARGET, shop.database);
    }
  });
});

describe('the cancellation with a source that cannot be reached', () => {
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = await TcpProxy.start(testAddress(SOURCE));
  });
  afterEach(async () => {
    await proxy.close();
  });

  /** @returns the SQL that takes away what is left */
  async function cancelBehindCut(migration: Online): Promise<string> {
    proxy.cut();
    const status = await cancel(migration, 'keep-target');
    expect(status).toMatchObject({
      state: 'NeedsCleanup',
      failure: { code: 'CleanUpNeeded', database: shop.database },
    });
    const [slot] = status.databases[0]?.sourceObjects ?? [];
    expect(slot).toMatch(`slot flexlift_${migration.request.migrationId}_`);
    expect(await leftOnSource(SOURCE, shop.database, migration.request.migrationId)).toContain(slot);
    expect((await migration.handle.result()).state).toBe('NeedsCleanup');
    return status.databases[0]?.cleanUpSql ?? '';
  }

  async function startBehindProxy(): Promise<Online> {
    const migration = await online.start({ source: { ...testAddress(SOURCE), port: proxy.port } });
    shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    return migration;
  }

  it('says what is left, and the clean-up takes it away when the source is back', async () => {
    const migration = await startBehindProxy();
    await behindFence(migration, async () => void (await cancelBehindCut(migration)));
    proxy.reopen();
    const step: TidySourceRequest = { request: migration.request, databases: [shop.database], what: 'all' };
    const removed = await shop.migrations.client.workflow.execute<
      (step: TidySourceRequest) => Promise<string[]>
    >(WORKFLOWS.tidySource, {
      workflowId: `${migration.handle.workflowId}/tidy`,
      taskQueue: taskQueues(migration.request.pool).control,
      args: [step],
    });
    expect(removed.join()).toMatch('slot flexlift_');
    await expectNothingLeft(migration, 'keep-target');
  });

  itInAll('does not wait for the end of a cutover that cannot be called off', async () => {
    const migration = await startBehindProxy();
    const { workflowId } = migration.handle;
    const database = shop.migrations.client.workflow.getHandle(databaseWorkflowId(workflowId, shop.database));
    await behindFence(migration, async () => {
      proxy.cut();
      const aborted = migration.handle.executeUpdate<MigrationStatus, [DatabasesRequest]>(
        ABORT_CUTOVER_UPDATE,
        {
          args: [{}],
        },
      );
      aborted.catch(() => undefined);
      await eventually('its fence is to be lifted', async () => {
        const { raw } = await database.describe();
        return raw.pendingActivities?.some((each) => each.activityType?.name === 'liftFence');
      });
      await cancelBehindCut(migration);
    });
    proxy.reopen();
  });

  itInAll('gives a person the SQL that takes it away', async () => {
    const migration = await startBehindProxy();
    let sql = '';
    await behindFence(migration, async () => {
      sql = await cancelBehindCut(migration);
    });
    expect(sql).toMatch('pg_drop_replication_slot');
    await withSession(SOURCE, shop.database, (client) => client.query(sql));
    await expectNothingLeft(migration, 'keep-target');
  });
});
