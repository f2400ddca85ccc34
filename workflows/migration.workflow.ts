import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  CANCEL_UPDATE,
  DATABASE_SIGNAL,
  databaseWorkflowId,
  STATUS_QUERY,
  type CancelRequest,
  type DatabaseStatus,
  type MigrationRequest,
  type MigrationStatus,
} from '../contract';
import { activityClasses } from './activities';
import { database } from './database.workflow';
import { failureFields } from './failure';
import { MigrationLog } from './migration-log';
import { takeOrders } from './migration-orders';
import { runAll } from './run-all';
import { passOn, SourceThrottle } from './source-throttle';

const statusQuery = defineQuery<MigrationStatus>(STATUS_QUERY);
const databaseSignal = defineSignal<[DatabaseStatus, number]>(DATABASE_SIGNAL);
const cancelUpdate = defineUpdate<MigrationStatus, [CancelRequest]>(CANCEL_UPDATE);

/** The migration of one server: validate, then a child for each database. Its result says how it ended. */
export async function migration(request: MigrationRequest): Promise<MigrationStatus> {
  const log = new MigrationLog(request);
  const work = new CancellationScope({ cancellable: true });
  let { onCancel } = request;
  let ended = false;

  setHandler(statusQuery, () => log.status, { description: 'State, findings and databases' });
  setHandler(databaseSignal, (status, told) => log.noteDatabase(status, told), {
    description: 'From the databases: how they stand',
  });
  takeOrders(log);
  const throttle = new SourceThrottle(request, log);
  setHandler(
    cancelUpdate,
    async (cancelRequest) => {
      onCancel = cancelRequest.onCancel ?? onCancel;
      work.cancel();
      await CancellationScope.nonCancellable(() => condition(() => ended));
      return log.status;
    },
    { description: 'Cancel; keep or drop the target databases' },
  );

  try {
    await work.run(() => migrateServer(request, log, throttle));
  } catch (error) {
    if (isCancellation(error)) {
      log.cleaningUp();
      await CancellationScope.nonCancellable(() => cleanUp(request, log, onCancel));
      if (!work.consideredCancelled || cancelledFromOutside()) throw error;
    } else {
      log.fail(failureFields(error));
    }
  } finally {
    ended = true;
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }
  return log.status;
}

/** A cancellation by Temporal's own command must end as `Canceled` there too. */
function cancelledFromOutside(): boolean {
  return CancellationScope.current().consideredCancelled;
}

async function migrateServer(
  asked: MigrationRequest,
  log: MigrationLog,
  throttle: SourceThrottle,
): Promise<void> {
  const { validation } = activityClasses(asked);
  const validated = await validation.validate({ request: asked });
  const { findings, databases, concurrency } = validated;
  log.validated(validated);
  if (findings.some((finding) => finding.state === 'Failed')) return log.end('ValidationFailed');
  if (asked.option === 'Validate') return log.end('Succeeded');

  const request = { ...asked, limits: { ...asked.limits, ...concurrency } };
  await runAll(databases.map((name) => () => migrateDatabase(request, name, log, throttle)));
  log.summarize();
}

/** The throttle bounds how many databases load at a time; an online one goes on beside them until its cutover. */
async function migrateDatabase(
  request: MigrationRequest,
  name: string,
  log: MigrationLog,
  throttle: SourceThrottle,
): Promise<void> {
  const child = await throttle.whileLoading(name, async () => {
    const told = throttle.shareFor(name);
    const started = await startChild(database, {
      workflowId: databaseWorkflowId(workflowInfo().workflowId, name),
      args: [{ request, database: name }, told],
      staticSummary: `database ${name}`.slice(0, 150),
    });
    const share = () => throttle.shareFor(name);
    const result = passOn(started, { share, told, result: started.result() });
    // a cancellation is over when the child says so: nothing is cleaned up before
    const loaded = CancellationScope.nonCancellable(() => condition(() => log.hasLoaded(name)));
    await Promise.race([result, loaded]);
    return { result };
  });
  log.noteDatabase(await child.result);
}

/** Every database is cleaned up, whatever becomes of the others. */
async function cleanUp(
  request: MigrationRequest,
  log: MigrationLog,
  onCancel: MigrationRequest['onCancel'],
): Promise<void> {
  const { short } = activityClasses(request);
  const unfinished = log.status.databases.filter(
    ({ state }) => state !== 'Succeeded' && state !== 'SucceededUnverified',
  );
  const outcomes = await Promise.allSettled(
    unfinished.map(({ database }) => short.cleanUp({ request, database, onCancel })),
  );
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') log.noteLeft(unfinished[index]?.database, outcome.value);
  }
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  const left = outcomes.find((outcome) => outcome.status === 'fulfilled' && outcome.value.left !== undefined);
  if (failed !== undefined) log.fail(failureFields(failed.reason));
  else log.end(left === undefined ? 'Canceled' : 'NeedsCleanup');
}
