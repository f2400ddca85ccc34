import {
  condition,
  defineUpdate,
  getExternalWorkflowHandle,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import {
  ABORT_CUTOVER_UPDATE,
  ACCEPT_DRIFT_UPDATE,
  CUTOVER_UPDATE,
  databaseWorkflowId,
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  RESUME_UPDATE,
  type CutoverRequest,
  type DatabasesRequest,
  type DatabaseStatus,
  type MigrationStatus,
  type RecopyRequest,
} from '../contract';
import type { MigrationLog } from './migration-log';
import {
  whyNoCutover,
  chosen,
  whyNotCuttingOver,
  isEnded,
  whyNotReplicating,
  refuse,
  refuseUnless,
} from './order-checks';
import { OrderAnswers } from './order-answers';
import {
  abortCutoverSignal,
  acceptDriftSignal,
  cutoverSignal,
  pauseSignal,
  recopySignal,
  resumeSignal,
} from './orders';

export const cutoverUpdate = defineUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE);
export const abortCutoverUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(ABORT_CUTOVER_UPDATE);
export const pauseUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(PAUSE_UPDATE);
export const resumeUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(RESUME_UPDATE);
export const recopyUpdate = defineUpdate<MigrationStatus, [RecopyRequest]>(RECOPY_UPDATE);
export const acceptDriftUpdate = defineUpdate<MigrationStatus, [DatabasesRequest]>(ACCEPT_DRIFT_UPDATE);

/**
 * Takes a person's orders for an online migration and hands each to its databases. An order is refused at once where it
 * makes no sense as things stand; a second one of the same kind joins the first.
 */
export function takeOrders(log: MigrationLog): void {
  const { status } = log;
  /** Databases whose cutover was asked for and has not begun. */
  const asked = new Set<string>();
  const answers = new OrderAnswers();
  const standing = (name: string) => status.databases.find(({ database }) => database === name);
  log.onCutoverBegun = (database) => asked.delete(database);

  setHandler(
    cutoverUpdate,
    async (request) => {
      const databases = chosen(status, request);
      const before = new Map(
        databases
          // the one that runs is joined: its end is the end of this
          .filter(({ cutover }) => cutover?.state !== 'Running')
          .map(({ database, cutover }) => [database, cutover?.startedAt]),
      );
      for (const { database, cutover } of databases) {
        if (cutover?.state === 'Running' || asked.has(database)) continue;
        asked.add(database);
        await send(database, cutoverSignal, request);
      }
      await condition(() => chosen(status, request).every((database) => isCutoverOver(database, before)));
      return status;
    },
    {
      validator: (request: CutoverRequest) => refuseUnless(status, request, whyNoCutover),
      description: 'Fence the source, bring over the rest, prove equality, release the target',
    },
  );

  setHandler(
    abortCutoverUpdate,
    async (request) => {
      const databases = chosen(status, request).map(({ database }) => database);
      // one that was just asked for and has not begun would not hear it
      await condition(() =>
        chosen(status, request).every((database) => isEnded(database) || !asked.has(database.database)),
      );
      for (const database of databases) await send(database, abortCutoverSignal, request);
      await condition(() => chosen(status, request).every(({ cutover }) => cutover?.state !== 'Running'));
      return status;
    },
    {
      validator: (request: DatabasesRequest) =>
        refuseUnless(status, request, (database) =>
          asked.has(database.database) ? undefined : whyNotCuttingOver(database),
        ),
      description: 'Call the cutover off: lift the fence, replicate on',
    },
  );

  for (const [update, signal, description] of [
    [pauseUpdate, pauseSignal, 'Apply no more changes for now; the source keeps them'],
    [resumeUpdate, resumeSignal, 'Apply changes again, after a pause or a failure'],
  ] as const) {
    setHandler(
      update,
      async (request) => {
        await Promise.all(
          chosen(status, request).map(({ database }) =>
            answers.askUnlessEnded(
              (order) => send(database, signal, { ...request, order }),
              () => standing(database),
            ),
          ),
        );
        return status;
      },
      {
        validator: (request: DatabasesRequest) => refuseUnless(status, request, whyNotReplicating),
        description,
      },
    );
  }

  setHandler(
    recopyUpdate,
    async (request) => {
      const databases = chosen(status, {
        databases: request.database === undefined ? undefined : [request.database],
      });
      for (const { database } of databases) {
        await answers.ask(
          (order) => send(database, recopySignal, { ...request, order }),
          () => standing(database),
        );
      }
      return status;
    },
    {
      validator: (request: RecopyRequest) => {
        const databases = request.database === undefined ? undefined : [request.database];
        refuseUnless(status, { databases }, whyNotReplicating);
        if (request.table !== undefined && chosen(status, { databases }).length > 1) {
          refuse(
            'The migration has several databases.',
            'Name the one that the table is in: --database.',
            'InvalidRequest',
          );
        }
      },
      description: 'Copy a table, or all of them, anew',
    },
  );

  setHandler(
    acceptDriftUpdate,
    async (request) => {
      for (const { database } of chosen(status, request)) {
        await answers.ask(
          (order) => send(database, acceptDriftSignal, { ...request, order }),
          () => standing(database),
        );
      }
      return status;
    },
    {
      validator: (request: DatabasesRequest) => refuseUnless(status, request, whyNotReplicating),
      description: 'Both schemas were changed alike: go on with them',
    },
  );
}

type Signal<Argument> = Parameters<ReturnType<typeof getExternalWorkflowHandle>['signal']>[0] & {
  argument?: Argument;
};

async function send<Argument>(database: string, signal: Signal<Argument>, argument: Argument): Promise<void> {
  const id = databaseWorkflowId(workflowInfo().workflowId, database);
  await getExternalWorkflowHandle(id).signal(signal, argument);
}

function isCutoverOver(database: DatabaseStatus, before: Map<string, string | undefined>): boolean {
  const { cutover } = database;
  if (isEnded(database)) return true;
  return (
    cutover !== undefined &&
    cutover.state !== 'Running' &&
    cutover.startedAt !== before.get(database.database)
  );
}
