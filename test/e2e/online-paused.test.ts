import { WorkflowUpdateStage } from '@temporalio/client';
import {
  CANCEL_UPDATE,
  DATABASE_SIGNAL,
  databaseWorkflowId,
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  REPLICATION_SIGNAL,
  RESUME_UPDATE,
  STATUS_QUERY,
  type CancelRequest,
  type DatabasesRequest,
  type DatabaseStatus,
  type MigrationStatus,
  type RecopyRequest,
  type ReplicationNotice,
} from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  cutOver,
  dropSlot,
  expectReleased,
  leftOnSource,
  refusalOf,
  untilCutOver,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession } from '../support/servers';

const SOURCE = 15;
const TARGET = 17;

const { shop, start, startReady } = useOnlineMigrations(SOURCE, TARGET);

async function pauseIt({ handle }: Online): Promise<void> {
  await handle.executeUpdate(PAUSE_UPDATE, { args: [{}] });
}

async function resume({ handle }: Online): Promise<void> {
  await handle.executeUpdate(RESUME_UPDATE, { args: [{}] });
}

async function recopy({ handle }: Online, request: RecopyRequest): Promise<void> {
  await handle.executeUpdate(RECOPY_UPDATE, { args: [request] });
}

/** The figures move: how far the target is behind, and what the source keeps. */
async function untilFurtherBehind({ handle }: Online): Promise<void> {
  const before = await untilLive(handle, 'figures', () => true);
  const after = await untilLive(
    handle,
    'further behind',
    (live) => live.lagBytes > before.lagBytes && live.retainedBytes > before.retainedBytes,
    30_000,
  );
  expect(after.state).toBe('Paused');
  expect(after.changes).toEqual(before.changes);
}

describe('a migration that is paused', () => {
  itInAll('goes on showing how far it is behind, whatever dies, and can be resumed', async () => {
    const migration = await start();
    const worker = shop.startWorker(migration.request.pool);
    await untilReplication(migration.handle, 'ReadyForCutover');
    await pauseIt(migration);
    await untilFurtherBehind(migration);
    await worker.kill();
    shop.startWorker(migration.request.pool);
    await untilFurtherBehind(migration);

    await recopy(migration, { table: '"Small 3"' });
    await eventually('a new copy', async () => {
      const { rows } = await withSession(TARGET, shop.database, (client) =>
        client.query<{ copies: string }>(
          `SELECT max(copies) AS copies FROM flexlift.part p JOIN flexlift.table_load t USING (table_oid)
            WHERE table_name = 'Small 3' AND copied_at IS NOT NULL`,
        ),
      );
      return Number(rows[0]?.copies) > 1;
    });
    await resume(migration);
    await untilReplication(migration.handle, 'ReadyForCutover');
    await untilCutOver(migration.handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

  it('and resumed answers when that holds, whatever else is heard of it and whatever dies', async () => {
    const { handle, request } = await start();
    shop.startWorker(request.pool, ['control', 'copy']);
    let streamer = shop.startWorker(request.pool, ['stream']);
    await untilReplication(handle, 'ReadyForCutover');
    const standing = async () => (await handle.query<MigrationStatus>(STATUS_QUERY)).databases[0];
    const after = async (update: string) => {
      // what is at hand ends only when the server has missed its heartbeats
      await streamer.kill();
      const known = await standing();
      const asked = await handle.startUpdate<MigrationStatus, [DatabasesRequest]>(update, {
        args: [{}],
        waitForStage: WorkflowUpdateStage.ACCEPTED,
      });
      // as it says again and again
      if (known !== undefined) await handle.signal(DATABASE_SIGNAL, known);
      streamer = shop.startWorker(request.pool, ['stream']);
      const [database] = (await asked.result()).databases;
      return database?.replication?.state;
    };
    expect(await after(PAUSE_UPDATE)).toBe('Paused');
    expect(await after(PAUSE_UPDATE)).toBe('Paused');
    expect(await after(RESUME_UPDATE)).toMatch(/^(CatchingUp|ReadyForCutover)$/);
    expect((await standing())?.replication?.state).not.toBe('Paused');
    await untilReplication(handle, 'ReadyForCutover');
    const known = await standing();
    // two that are under way at a time may come in another order than they were sent in
    await handle.signal(DATABASE_SIGNAL, { ...known, phase: 'Load' }, 1);
    expect((await standing())?.phase).toBe('Replicate');
    const { client } = shop.migrations;
    const database = client.workflow.getHandle(databaseWorkflowId(handle.workflowId, shop.database));
    await database.signal<[ReplicationNotice]>(REPLICATION_SIGNAL, { state: 'Paused', told: 1 });
    const { replication } = await database.query<DatabaseStatus>(STATUS_QUERY);
    expect(replication?.state).toBe('ReadyForCutover');
  });

  itInAll('says while it is paused that its slot is lost, and can be copied anew', async () => {
    const migration = await startReady();
    await pauseIt(migration);
    await dropSlot(SOURCE, migration);
    const lost = await untilLive(migration.handle, 'SlotLost', ({ failure }) => failure !== undefined);
    expect(lost).toMatchObject({ state: 'Stopped', failure: { code: 'SlotLost' } });
    await recopy(migration, {});
    await untilReplication(migration.handle, 'ReadyForCutover');
    await untilCutOver(migration.handle);
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });

  itInAll('is watched too where a failure has stopped it', async () => {
    const migration = await startReady();
    await withSession(TARGET, shop.database, (client) =>
      client.query(`UPDATE flexlift.stream SET lsn = '0/1'`),
    );
    const stopped = await untilLive(migration.handle, 'Stopped', ({ state }) => state === 'Stopped');
    expect(stopped.failure?.code).toBe('TargetRewound');
    const further = (bytes: number) =>
      untilLive(migration.handle, 'more WAL', (live) => live.retainedBytes > bytes, 30_000);
    await further((await further(stopped.retainedBytes)).retainedBytes);
    await dropSlot(SOURCE, migration);
    await untilLive(migration.handle, 'SlotLost', ({ failure }) => failure?.code === 'SlotLost');
  });

  itInAll('leaves nothing on the source where it is cancelled', async () => {
    const migration = await startReady();
    await pauseIt(migration);
    const { state } = await migration.handle.executeUpdate<MigrationStatus, [CancelRequest]>(CANCEL_UPDATE, {
      args: [{ onCancel: 'drop-target' }],
    });
    expect(state).toBe('Canceled');
    expect(await leftOnSource(SOURCE, shop.database, migration.request.migrationId)).toEqual([]);
  });

  itInAll('and cut over in the same moment is one or the other, and waits for nothing in vain', async () => {
    const migration = await startReady();
    const paused = pauseIt(migration);
    const { cutover } = await cutOver(migration.handle);
    await paused;
    if (cutover?.state === 'CalledOff') {
      expect(cutover.failure?.code).toBe('CutoverRefused');
      expect(cutover.failure?.sentence).toMatch(/paused by request/);
      expect(cutover.fencedAt).toBeUndefined();
      expect(await refusalOf(cutOver(migration.handle))).toMatch(/Paused/);
      await resume(migration);
      await untilReplication(migration.handle, 'ReadyForCutover');
      await untilCutOver(migration.handle);
    }
    await expectReleased(shop, migration, [SOURCE, TARGET]);
  });
});
