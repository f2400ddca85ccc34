import { setTimeout as pause } from 'node:timers/promises';
import { PAUSE_UPDATE, RESUME_UPDATE } from '../../contract';
import { itInAll } from '../support/all';
import { eventually } from '../support/eventually';
import {
  contentOf,
  cutOver,
  untilLive,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession } from '../support/servers';
import type { WorkerProcess } from '../support/worker-process';

const SOURCE = 15;
const TARGET = 17;

// a frozen worker is given up only when its heartbeat and its share of the workflow's tasks time out
jest.setTimeout(300_000);

const { shop, start } = useOnlineMigrations(SOURCE, TARGET);

async function startWithWorker(): Promise<{ migration: Online; worker: WorkerProcess }> {
  const migration = await start({ compare: false });
  const worker = shop.startWorker(migration.request.pool);
  await untilReplication(migration.handle, 'ReadyForCutover');
  return { migration, worker };
}

/** It holds the slot on the source, and on the target a batch that is neither committed nor rolled back. */
async function freezeInBatch({ request }: Online, worker: WorkerProcess): Promise<void> {
  await withSession(TARGET, shop.database, async (client) => {
    await client.query('BEGIN; LOCK TABLE big IN SHARE MODE');
    await eventually('a batch that waits', async () => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE $1`,
        [`flexlift:${request.migrationId}:applyChanges:%`],
      );
      return rowCount !== 0;
    });
    worker.freeze();
    await client.query('ROLLBACK');
  });
}

async function applierOnSource({ request }: Online): Promise<boolean> {
  const { rowCount } = await withSession(SOURCE, shop.database, (client) =>
    client.query('SELECT FROM pg_replication_slots WHERE slot_name ~ $1 AND active', [
      `^flexlift_${request.migrationId}`,
    ]),
  );
  return rowCount !== 0;
}

async function expectEqual(): Promise<void> {
  expect(await contentOf(TARGET, shop.database)).toEqual(await contentOf(SOURCE, shop.database));
}

describe('an applier that is frozen in the middle of a batch', () => {
  itInAll('keeps nobody from applying on after a pause, and does no harm when it wakes up', async () => {
    const { migration, worker } = await startWithWorker();
    const { handle } = migration;
    await freezeInBatch(migration, worker);
    expect(await applierOnSource(migration)).toBe(true);
    shop.startWorker(migration.request.pool);
    await handle.executeUpdate(PAUSE_UPDATE, { args: [{}] });
    expect((await untilLive(handle, 'halted', () => true)).state).toBe('Paused');
    const { changes } = await untilLive(handle, 'figures', () => true);
    await handle.executeUpdate(RESUME_UPDATE, { args: [{}] });
    const further = (updates: number) =>
      untilLive(handle, 'changes are applied', (live) => live.changes.updates > updates + 20, 30_000);
    const applied = await further(changes.updates);
    worker.thaw();
    await pause(2_000);
    await further(applied.changes.updates);
    await untilReplication(handle, 'ReadyForCutover');
    expect((await cutOver(handle)).cutover?.state).toBe('Released');
    await migration.writer.stop();
    // only then is the source as the next test needs it
    expect((await handle.result()).state).toBe('SucceededUnverified');
    await expectEqual();
  });

  itInAll('keeps nobody from draining, and does no harm when it wakes up', async () => {
    const { migration, worker } = await startWithWorker();
    const { handle } = migration;
    await freezeInBatch(migration, worker);
    shop.startWorker(migration.request.pool);
    const { cutover } = await cutOver(handle);
    expect(cutover?.state).toBe('Released');
    await migration.writer.stop();
    await expectEqual();
    worker.thaw();
    await pause(2_000);
    await expectEqual();
    expect(await applierOnSource(migration)).toBe(false);
  });
});
