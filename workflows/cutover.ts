import { ApplicationFailure, CancellationScope, isCancellation, uuid4 } from '@temporalio/workflow';
import type {
  ApplyResult,
  CutoverRequest,
  CutoverStep,
  DatabaseStep,
  Difference,
  FailureFields,
} from '../contract';
import type { ActivityClasses } from './activities';
import type { DatabaseLog } from './database-log';
import { failureFields } from './failure';
import { Limiter } from './limiter';
import type { Orders } from './orders';
import type { Replication } from './replication';
import { runAll } from './run-all';

export interface Cutover {
  step: DatabaseStep;
  request: CutoverRequest;
  log: DatabaseLog;
  orders: Orders;
  activities: ActivityClasses;
  /** Goes on until the source is about to be fenced. */
  replication: Replication;
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
  isFenced: boolean;
  /** Tables that were copied anew behind the fence. */
  renewed: string[];
}

/**
 * One try to hand the database over to the target. Until the release it can be called off: then the fence is lifted,
 * what was made for the cutover is undone, and the replication can go on as before.
 */
export async function cutOver(cutover: Cutover): Promise<Outcome> {
  const { step, request, log, orders, activities } = cutover;
  const scope = new CancellationScope({ cancellable: true });
  const attempt: Progress = { endedReplication: false, isFenced: false, renewed: [] };
  try {
    await orders.whileAbortable(
      () => scope.cancel(),
      async () => {
        await log.beginCutover(request.fence);
        await scope.run(() => handOver(cutover, attempt));
      },
    );
  } catch (error) {
    if (isCancellation(error) && CancellationScope.current().consideredCancelled) throw error;
    const failure = isCancellation(error) ? CALLED_OFF_BY_REQUEST : failureFields(error);
    await CancellationScope.nonCancellable(async () => {
      const calledOff = { ...step, attempt: log.cutoverAttempt };
      // writers first: nothing else is urgent
      if (attempt.isFenced) await activities.long.liftFence(calledOff);
      log.noteEndOfOutage();
      if (attempt.endedReplication) await activities.long.undoCutover(calledOff);
    });
    await log.endCutover({ state: 'CalledOff', failure });
    // whoever wrote behind the fence may be in such a copy and in the stream as well
    const doubtful = failure.code === 'FenceBroken' ? attempt.renewed : [];
    return { released: false, endedReplication: attempt.endedReplication, doubtful };
  }
  await CancellationScope.nonCancellable(() => log.endCutover({ state: 'Released' }));
  return { released: true, endedReplication: true, doubtful: [] };
}

async function handOver(
  { step: database, request, log, activities, replication }: Cutover,
  state: Progress,
): Promise<void> {
  const { short, long } = activities;
  const { fence } = request;
  const { attempt } = await short.beginCutover({ ...database, maxLagBytes: request.maxLagBytes });
  log.cutoverAttempt = attempt;
  const step: CutoverStep = { ...database, attempt };

  if (step.request.compare) await log.cutoverStep('Prove', () => proveAll(step, log, activities));

  state.endedReplication = true;
  await replication.end();
  state.isFenced = fence !== 'none';
  await log.cutoverStep('Fence', () => long.raiseFence({ ...step, fence }));
  await log.cutoverStep('Drain', () => drain(step, activities));

  // rows first: a trigger or a foreign key would act on them
  state.renewed = (await log.cutoverStep('LateRows', () => long.copyLateRows({ ...step, fence }))).tables;
  await log.cutoverStep('Sequences', () => long.copySequences(step));
  await log.cutoverStep('MaterializedViews', () => long.refreshMaterializedViews(step));
  // rows before policies, which may hide them even from us
  if (step.request.compare) await log.cutoverStep('Compare', () => compareRows(step, log, activities));
  await log.cutoverStep('PostData', () => long.runLate(step));
  if (step.request.compare)
    await log.cutoverStep('CompareCatalog', () => compareCatalog(step, log, activities));
  await log.cutoverStep('LastLook', () => lastLook(step, activities));

  await CancellationScope.nonCancellable(() =>
    log.cutoverStep('Release', async () => {
      log.noteRelease(await long.release({ ...step, differences: [] }));
    }),
  );
}

/** What is proven now need not be read while the application waits. */
async function proveAll(
  step: CutoverStep,
  log: DatabaseLog,
  { short, bulk }: ActivityClasses,
): Promise<void> {
  const { request, database } = step;
  const { batches } = await short.planProofs({ request, database });
  for (const { summary, tableOids } of batches) {
    const result = await bulk.proveTables.executeWithOptions({ summary }, [{ request, database, tableOids }]);
    refuseDifferences(result.differences, log);
  }
}

/** Whatever was committed before the fence is on the target when its marker is met. */
async function drain(step: CutoverStep, activities: ActivityClasses): Promise<void> {
  await applyUntilMarker(step, activities, { name: `cutover ${step.attempt}`, refuseChanges: false });
}

/** Nothing was committed since: or the fence did not hold. */
async function lastLook(step: CutoverStep, activities: ActivityClasses): Promise<void> {
  const { refused } = await applyUntilMarker(step, activities, {
    name: `release ${step.attempt}`,
    refuseChanges: true,
  });
  if (refused === undefined) return;
  throw failed({
    code: 'FenceBroken',
    sentence: `The source took a write to ${refused.table} at ${refused.commitTime}, after it was fenced.`,
    remedy: 'Stop what writes there, or cut over with --fence revoke-connect.',
    side: 'source',
    database: step.database,
    object: refused.table,
  });
}

async function applyUntilMarker(
  step: CutoverStep,
  { short, stream }: ActivityClasses,
  { name, refuseChanges }: { name: string; refuseChanges: boolean },
): Promise<ApplyResult> {
  const { request, database } = step;
  const marker = `${name} ${uuid4()}`;
  await short.emitMarker({ request, database, marker });
  for (;;) {
    const result = await stream.applyChanges.executeWithOptions({ summary: `apply until ${name}` }, [
      { request, database, segment: request.timeouts.segment, until: { marker, refuseChanges } },
    ]);
    if (result.ended === 'marker' || result.refused !== undefined) return result;
  }
}

async function compareRows(step: CutoverStep, log: DatabaseLog, activities: ActivityClasses): Promise<void> {
  const { short, bulk } = activities;
  const { request, database } = step;
  const { batches } = await short.planFinalCompare({ request, database });
  const slots = new Limiter(request.limits.copiesAtOnce);
  const found: Difference[] = [];
  await runAll(
    batches.map(({ summary, tableOids }) => async () => {
      const result = await slots.run(() =>
        bulk.finalCompare.executeWithOptions({ summary }, [{ request, database, tableOids }]),
      );
      found.push(...result.differences);
    }),
  );
  await refuseBehindFence(found, step, log, activities);
}

async function compareCatalog(
  step: CutoverStep,
  log: DatabaseLog,
  activities: ActivityClasses,
): Promise<void> {
  const { request, database } = step;
  const { differences } = await activities.long.compareCatalog({ request, database });
  await refuseBehindFence(differences, step, log, activities);
}

/** What somebody wrote behind the fence makes a difference, too, and no new copy mends that. */
async function refuseBehindFence(
  differences: Difference[],
  step: CutoverStep,
  log: DatabaseLog,
  activities: ActivityClasses,
): Promise<void> {
  if (differences.length > 0) await lastLook(step, activities);
  refuseDifferences(differences, log);
}

function refuseDifferences(differences: Difference[], log: DatabaseLog): void {
  log.status.differences = differences;
  const [first] = differences;
  if (first === undefined) return;
  throw failed({
    code: 'DifferenceFound',
    sentence: `The target differs from the source in ${differences.length} places, first in ${first.object}: ${first.message}`,
    remedy: 'Copy the named tables anew with flexlift recopy, then cut over again.',
    object: first.object,
  });
}

function failed(fields: FailureFields): ApplicationFailure {
  return ApplicationFailure.create({
    message: fields.sentence,
    type: fields.code,
    nonRetryable: true,
    details: [fields],
  });
}

const CALLED_OFF_BY_REQUEST: FailureFields = {
  code: 'CutoverRefused',
  sentence: 'The cutover was called off by request.',
  remedy: 'Replication goes on; cut over again when it suits.',
};
