import {
  CancellationScope,
  CancelledFailure,
  condition,
  isCancellation,
  patched,
} from '@temporalio/workflow';
import type { CutoverRequest, CutoverStep, FailureFields } from '../contract';
import { CutoverApplier } from './cutover-applier';
import type { DatabaseLog } from './database-log';
import type { DatabaseMigration } from './database-migration';
import { failed, failureFields } from './failure';
import { FinalComparison } from './final-comparison';
import { finishEntries } from './finish-entries';
import type { Orders } from './orders';
import { proveBatches } from './proof-rounds';
import type { Replication } from './replication';
import { runAll } from './run-all';
import { waitingForeignKeys } from './waiting-foreign-keys';

export interface Cutover extends DatabaseMigration {
  request: CutoverRequest;
  orders: Orders;
  /** Goes on until the source is about to be fenced. */
  replication: Replication;
  /** Orders to copy tables anew that are not done yet. */
  recopiesLeft: number;
}

interface Outcome {
  /** The target is its users'; if not, all can go on as before. */
  released: boolean;
  /** The replication is to be started anew. */
  endedReplication: boolean;
  /** Tables to be copied anew, for they may hold changes that are still to come. */
  doubtful: string[];
}

/** What is to be undone. */
interface Progress {
  endedReplication: boolean;
  applier?: CutoverApplier;
  isFenced: boolean;
}

/**
 * One try to hand the database over to the target. Until the release it can be called off: then the fence is lifted,
 * what was made for the cutover is undone, and the replication can go on as before.
 */
export async function cutOver(cutover: Cutover): Promise<Outcome> {
  const { request, log, orders } = cutover;
  const scope = new CancellationScope({ cancellable: true });
  const attempt: Progress = { endedReplication: false, isFenced: false };
  try {
    await orders.whileAbortable(
      () => scope.cancel(),
      async () => {
        await log.beginCutover(request.fence);
        await scope.run(() => handOver(cutover, attempt));
      },
    );
  } catch (error) {
    // an activity whose worker is gone answers the cancellation with a timeout
    const isCanceled = isCancellation(error) || scope.consideredCancelled;
    if (isCanceled && CancellationScope.current().consideredCancelled) {
      throw isCancellation(error)
        ? error
        : new CancelledFailure('the cutover was canceled', [], error as Error);
    }
    const failure = isCanceled ? CALLED_OFF_BY_REQUEST : failureFields(error);
    const undo = () => callOff(cutover, attempt);
    // a cancellation does not wait for servers that may be gone: it tidies up by itself, as far as it can
    const doubtful = await (patched('cancel-calling-off') ? undo() : CancellationScope.nonCancellable(undo));
    await log.endCutover({ state: 'CalledOff', failure });
    return { released: false, endedReplication: attempt.endedReplication, doubtful };
  } finally {
    attempt.applier?.cancel();
    log.noteFigures((await attempt.applier?.settled())?.progress);
  }
  await CancellationScope.nonCancellable(() => log.endCutover({ state: 'Released' }));
  return { released: true, endedReplication: true, doubtful: [] };
}

/** @returns see {@link Outcome.doubtful} */
async function callOff({ step, log, activities }: Cutover, attempt: Progress): Promise<string[]> {
  const calledOff = { ...step, attempt: log.cutoverAttempt };
  attempt.applier?.cancel();
  // writers first: nothing else is urgent. Of what they write the applier takes no change behind its marker
  if (attempt.isFenced) await activities.long.liftFence(calledOff);
  log.noteEndOfOutage();
  await attempt.applier?.settled();
  if (!attempt.endedReplication) return [];
  // without the last look nobody knows whether the fence held until then
  return (await activities.long.undoCutover(calledOff)).doubtful;
}

async function handOver(cutover: Cutover, state: Progress): Promise<void> {
  const { step: database, request, log, activities, replication } = cutover;
  refuseHalted(log);
  refuseRecopies(cutover);
  const { attempt } = await activities.short.beginCutover({ ...database, maxLagBytes: request.maxLagBytes });
  log.cutoverAttempt = attempt;
  const step: CutoverStep = { ...database, attempt };

  if (step.request.compare || request.maxCompareBytes !== undefined) {
    await log.cutoverStep('Prove', () =>
      unlessHalted(log, async () => {
        const postponed = step.request.compare ? await proveAll(step, cutover) : undefined;
        await refuseLongCompare(cutover, postponed);
      }),
    );
  }

  state.endedReplication = true;
  log.noteFigures(await CancellationScope.nonCancellable(() => replication.end()));
  const applier = (state.applier = new CutoverApplier({ ...step, fence: request.fence }, activities));
  await applier.alongside(() => fenceAndRelease(step, cutover, applier, state));
}

/** Behind the fence the application waits: what does not depend on another step goes on beside it. */
async function fenceAndRelease(
  step: CutoverStep,
  cutover: Cutover,
  applier: CutoverApplier,
  state: Progress,
): Promise<void> {
  const {
    request: { fence },
    log,
    activities,
    share,
  } = cutover;
  const { long, short } = activities;
  const { compare } = step.request;
  const comparison = new FinalComparison({ step, log, activities, share, applier });
  await log.cutoverStep('PrepareCutover', async () => {
    // what did not hold when all had caught up may hold now; the applier waits meanwhile, and has to catch up then
    log.noteForeignKeys(waitingForeignKeys(await long.buildForeignKeys(step)));
    await runAll([() => applier.untilNear(), ...(compare ? [() => comparison.prepare()] : [])]);
    await short.rereadProperties({ ...step, fence });
    // foreign keys may have taken hours
    await refuseLongCompare(cutover);
  });

  state.isFenced = fence !== 'none';
  await log.cutoverStep('Fence', () => long.raiseFence({ ...step, fence }));
  await log.cutoverStep('Drain', () => applier.drain());
  await runAll([
    // not before the marker: what was inserted until then came with the stream, and its numbers must not come again
    () => log.cutoverStep('Sequences', () => long.copySequences(step)),
    async () => {
      await log.cutoverStep('LateRows', () => long.copyLateRows({ ...step, fence }));
      comparison.hasLateRows = true;
    },
    ...(compare ? [() => log.cutoverStep('Compare', () => comparison.compareRows())] : []),
  ]);
  // behind all rows: a trigger or a foreign key would act on them, a policy may hide them even from us
  await finishEntries({
    execute: (until) => log.cutoverStep('PostData', () => long.runLate({ ...step, until })),
    refresh: (which) =>
      log.cutoverStep('MaterializedViews', () => long.refreshMaterializedViews({ ...step, ...which })),
  });
  if (compare) await log.cutoverStep('CompareCatalog', () => comparison.compareCatalog(fence));
  await log.cutoverStep('LastLook', async () => {
    // rows last: as long as the applier is at work, none is written unseen
    if (compare) await comparison.refuseUnpublishedWrites(fence);
    await applier.lastLook();
  });

  // an activity that was told to end may have come to its end all the same
  if (CancellationScope.current().consideredCancelled)
    throw new CancelledFailure('the cutover was called off');
  await CancellationScope.nonCancellable(() =>
    log.cutoverStep('Release', async () => {
      log.noteRelease(await long.release({ ...step, differences: [] }));
    }),
  );
}

function refuseHalted({ isHalted, status: { database, replication } }: DatabaseLog): void {
  if (!isHalted) return;
  const { sentence, remedy } = replication?.failure ?? {
    sentence: 'It was paused by request.',
    remedy: 'Go on with flexlift resume, and cut over when it has caught up.',
  };
  throw failed({
    code: 'CutoverRefused',
    sentence: `Database ${database} cannot be cut over while no changes are applied. ${sentence}`,
    remedy,
  });
}

/** The next one in the queue would empty its table in the middle of the cutover. */
function refuseRecopies({ recopiesLeft, step: { database } }: Cutover): void {
  if (recopiesLeft === 0) return;
  throw failed({
    code: 'CutoverRefused',
    sentence: `Database ${database} cannot be cut over while tables are to be copied anew: ${recopiesLeft} are not done.`,
    remedy: 'Cut over when they are; flexlift show says what is going on.',
  });
}

/** A proof would wait in vain for an applier that stands still. */
async function unlessHalted(log: DatabaseLog, work: () => Promise<void>): Promise<void> {
  let isOver = false;
  await runAll([
    () => work().finally(() => (isOver = true)),
    async () => {
      await condition(() => isOver || log.isHalted);
      if (!isOver) refuseHalted(log);
    },
  ]);
}

/**
 * What is proven now need not be read while the application waits.
 *
 * @returns why tables were not proven: one sentence
 */
async function proveAll(step: CutoverStep, { log, activities }: Cutover): Promise<string | undefined> {
  const { request, database } = step;
  const { short, bulk } = activities;
  const { batches } = await short.planProofs({ request, database, beforeFence: true });
  const round = await proveBatches(batches, async ({ summary, tableOids }) => {
    const argument = { request, database, tableOids };
    const result = await bulk.proveTables.executeWithOptions({ summary }, [argument]);
    log.refuseDifferences(result.differences);
    return result;
  });
  return round?.postponed?.sentence;
}

/**
 * An order of an earlier client has no limit.
 *
 * @param postponed why proofs were: one sentence
 */
async function refuseLongCompare(
  { request: { maxCompareBytes, fence }, step: { request, database }, activities }: Cutover,
  postponed?: string,
): Promise<void> {
  if (maxCompareBytes === undefined) return;
  await activities.short.refuseLongCompare({ request, database, fence, maxCompareBytes, postponed });
}

const CALLED_OFF_BY_REQUEST: FailureFields = {
  code: 'CutoverRefused',
  sentence: 'The cutover was called off by request.',
  remedy: 'Replication goes on; cut over again when it suits.',
};
