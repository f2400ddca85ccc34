import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  setHandler,
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
import { Limiter } from './limiter';
import { MigrationLog } from './migration-log';
import { runAll } from './run-all';

export const statusQuery = defineQuery<MigrationStatus>(STATUS_QUERY);
export const databaseSignal = defineSignal<[DatabaseStatus]>(DATABASE_SIGNAL);
export const cancelUpdate = defineUpdate<MigrationStatus, [CancelRequest]>(CANCEL_UPDATE);

/** The migration of one server: validate, then a child for each database. Its result says how it ended. */
export async function migration(request: MigrationRequest): Promise<MigrationStatus> {
  const log = new MigrationLog(request);
  const work = new CancellationScope({ cancellable: true });
  let { onCancel } = request;
  let ended = false;

  setHandler(statusQuery, () => log.status, { description: 'State, findings and databases' });
  setHandler(databaseSignal, (status) => log.noteDatabase(status), {
    description: 'From the databases: a new phase',
  });
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
    await work.run(() => migrateServer(request, log));
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

async function migrateServer(request: MigrationRequest, log: MigrationLog): Promise<void> {
  const { validation } = activityClasses(request);
  const { findings, databases } = await validation.validate({ request });
  log.validated(findings, databases);
  if (findings.some((finding) => finding.state === 'Failed')) return log.end('ValidationFailed');
  if (request.option === 'Validate') return log.end('Succeeded');

  const slots = new Limiter(request.limits.databasesAtOnce);
  await runAll(databases.map((name) => () => slots.run(() => migrateDatabase(request, name, log))));
  log.summarize();
}

async function migrateDatabase(request: MigrationRequest, name: string, log: MigrationLog): Promise<void> {
  const status = await executeChild(database, {
    workflowId: databaseWorkflowId(workflowInfo().workflowId, name),
    args: [{ request, database: name }],
    staticSummary: `database ${name}`.slice(0, 150),
  });
  log.noteDatabase(status);
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
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed === undefined) log.end('Canceled');
  else log.fail(failureFields(failed.reason));
}
