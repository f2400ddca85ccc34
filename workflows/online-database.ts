import { CancellationScope, defineSignal, isCancellation, patched, setHandler } from '@temporalio/workflow';
import { REPLICATION_SIGNAL, type DatabaseStatus, type ReplicationNotice, type TidyStep } from '../contract';
import { cutOver } from './cutover';
import type { DatabaseMigration } from './database-migration';
import { failureFields } from './failure';
import { loadWatched } from './load-watched';
import { takeUp } from './order-answers';
import { Orders } from './orders';
import { Recopies } from './recopies';
import { Replication } from './replication';

const replicationSignal = defineSignal<[ReplicationNotice]>(REPLICATION_SIGNAL);

export interface OnlineMigration extends DatabaseMigration {
  orders: Orders;
}

/** The online migration of one database whose target exists; what was made on the source goes at every end. */
export async function migrateOnline(database: DatabaseMigration): Promise<DatabaseStatus> {
  const { step, log } = database;
  const migration: OnlineMigration = { ...database, orders: new Orders() };
  setHandler(replicationSignal, (notice) => log.noteReplication(notice));
  try {
    await replicateAndCutOver(migration);
  } catch (error) {
    if (isCancellation(error)) throw error;
    await takeAwaySource(migration, 'all');
    return await log.end({ state: 'Failed', failure: failureFields(error) });
  }
  // a cancellation comes too late: the target is its users'
  return await CancellationScope.nonCancellable(async () => {
    // the fence stays: nobody shall write to the old server by mistake
    await takeAwaySource(migration, 'objects');
    const state = step.request.compare ? 'Succeeded' : 'SucceededUnverified';
    return await log.end({ phase: 'Done', state });
  });
}

/** From top to bottom. Returns when the target is released. */
async function replicateAndCutOver(migration: OnlineMigration): Promise<void> {
  const { step, log, activities } = migration;
  const { long } = activities;

  const { sourceObjects } = await log.phase('PrepareSource', () => long.prepareSource(step));
  log.status.sourceObjects = sourceObjects;
  await log.phase('DumpSchema', () => long.dumpSchema(step));
  await log.phase('PreData', () => long.runPreData(step));

  for (;;) {
    const copied = await log.phase('Load', () => loadWatched(migration));
    if (copied !== undefined) {
      log.status.copied = copied;
      await log.phase('PostData', () => long.runBeforeReplication(step));
      log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
    }

    const outcome = await replicateUntilReleased(migration);
    if (outcome.kind === 'released') return;
    log.forgetReplication();
    await log.phase('PrepareSource', () => long.resetForRecopy({ ...step, order: outcome.order }));
  }
}

type Outcome = { kind: 'released' } | { kind: 'recopyAll'; order: string };

async function checkRecopy({ step, activities }: OnlineMigration): Promise<void> {
  if (patched('check-recopy')) await activities.long.checkRecopy(step);
}

interface Replicating {
  migration: OnlineMigration;
  replication: Replication;
  recopies: Recopies;
}

/** When this returns or throws, nothing of the replication goes on. */
async function replicateUntilReleased(migration: OnlineMigration): Promise<Outcome> {
  const { step, log } = migration;
  await log.enter('Replicate');
  const replication = await Replication.start(step, { caughtUp: false, told: log.replicationTold });
  const replicating = { migration, replication, recopies: new Recopies(migration) };
  try {
    return await serveOrders(replicating);
  } finally {
    await replicating.replication.settle();
    await replicating.recopies.end();
  }
}

/** Serves orders until a cutover has released the target, or all tables are to be copied anew. */
async function serveOrders(replicating: Replicating): Promise<Outcome> {
  const { migration, recopies } = replicating;
  const { step, log, orders, activities } = migration;
  for (;;) {
    const { replication } = replicating;
    const order = await Promise.race([orders.next(), replication.failure()]);
    switch (order.kind) {
      case 'pause':
      case 'resume': {
        const { kind, request } = order;
        await takeUp(request.order, async () => {
          await replication[kind](request.order);
          // the next order finds it standing still, or going on
          await Promise.race([replication.failure(), log.taken(request.order)]);
        });
        break;
      }
      case 'acceptDrift':
        await takeUp(order.request.order, async () => {
          await activities.long.acceptDrift({ ...step, order: order.request.order });
          // the segment at hand still looks for the drift
          await replication.resume();
        });
        break;
      case 'recopy':
        if (order.request.table === undefined) {
          if (!(await takeUp(order.request.order, () => checkRecopy(migration)))) break;
          recopies.coverAll();
          return { kind: 'recopyAll', order: order.request.order };
        }
        recopies.add(order.request.table, order.request.order);
        break;
      case 'cutover': {
        const { released, endedReplication, doubtful } = await cutOver({
          ...migration,
          request: order.request,
          replication,
          recopiesLeft: recopies.left,
        });
        if (released) return { kind: 'released' };
        await log.enter('Replicate');
        if (endedReplication) {
          const { replicationTold: told, status } = log;
          const waitingForeignKeys = status.replication?.waitingForeignKeys;
          const before = { caughtUp: true, waitingForeignKeys, told };
          replicating.replication = await Replication.start(step, before);
        }
        for (const table of doubtful) recopies.addDoubtful(table);
      }
    }
  }
}

async function takeAwaySource(
  { step, log, activities }: OnlineMigration,
  what: TidyStep['what'],
): Promise<void> {
  const { left } = await activities.long.takeAwaySource({ ...step, what });
  log.status.sourceObjects = left?.objects ?? [];
  log.status.cleanUpSql = left?.sql;
  log.status.notice = left?.failure ?? log.status.notice;
}
