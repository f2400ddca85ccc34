import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  proxyActivities,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import {
  CUTOVER_UPDATE,
  databaseWorkflowId,
  PAUSE_UPDATE,
  replicateWorkflowId,
  REPLICATION_QUERY,
  STATUS_QUERY,
  type CutoverRequest,
  type DatabasesRequest,
  type MigrationRequest,
  type MigrationStatus,
  type ReplicationStatus,
  type TidySourceRequest,
} from '../../../contract';
import type { standInActivities } from './stand-in-activities';

const { applyChanges } = proxyActivities<typeof standInActivities>({
  startToCloseTimeout: '1 min',
  heartbeatTimeout: '10 s',
});

export const finish = defineSignal('finish');

/** Answers as a migration does, and does nothing. */
export async function migration(request: MigrationRequest): Promise<MigrationStatus> {
  let finished = false;
  const status: MigrationStatus = {
    ...{ version: 1, migrationId: request.migrationId, name: request.name, mode: request.mode },
    ...{
      option: request.option,
      state: 'InProgress',
      source: 'old',
      target: 'new',
      findings: [],
    },
    startedAt: new Date().toISOString(),
    databases: [
      {
        ...{ database: 'shop', state: 'InProgress', phase: 'Replicate', seconds: {}, differences: [] },
        copied: { tables: 0, rows: 0, bytes: 0 },
      },
    ],
  };
  setHandler(defineQuery(STATUS_QUERY), () => status);
  setHandler(finish, () => void (finished = true));
  setHandler(
    defineUpdate<MigrationStatus, [CutoverRequest]>(CUTOVER_UPDATE),
    async ({ fence, maxLagBytes }) => {
      await sleep('2 s');
      return { ...status, source: `${fence} ${maxLagBytes}` };
    },
    {
      validator: ({ databases }: CutoverRequest) => {
        if (databases?.includes('unready') === true) throw refusal('It is not ready.');
      },
    },
  );
  setHandler(defineUpdate<MigrationStatus, [DatabasesRequest]>(PAUSE_UPDATE), async () => {
    await sleep('1 s');
    throw refusal('It cannot be paused.');
  });
  if (request.mode === 'Online') {
    await startChild(database, { workflowId: databaseWorkflowId(workflowInfo().workflowId, 'shop') });
  }
  await condition(() => finished && allHandlersFinished());
  return status;
}

export async function database(): Promise<void> {
  await executeChild(replicate, {
    workflowId: replicateWorkflowId(workflowInfo().workflowId),
    args: [1],
  });
}

/** Its parent knows only its first run. */
export async function replicate(run: number): Promise<void> {
  if (run < 3) await continueAsNew<typeof replicate>(run + 1);
  setHandler(defineQuery(REPLICATION_QUERY), () => answer);
  await applyChanges();
}

export async function tidySource({ request, databases, what }: TidySourceRequest): Promise<string[]> {
  await sleep('1 s');
  if (databases.length > 1) throw refusal('The source cannot be reached.');
  return [what, request.migrationId, ...databases];
}

const answer: ReplicationStatus = {
  ...{
    state: 'ReadyForCutover',
    at: '2026-01-31T10:00:00.000Z',
    lsn: '0/1',
    lagBytes: 5,
    lagSeconds: 5,
    changesPerSecond: 0,
  },
  changes: { transactions: 0, inserts: 0, updates: 0, deletes: 0, truncates: 0 },
  ...{ retainedBytes: 0, stoppedTables: [], drift: [], proven: { tables: 0, total: 1 } },
};

function refusal(sentence: string): ApplicationFailure {
  const details = [{ code: 'CutoverRefused', sentence, remedy: 'Wait.' }];
  return ApplicationFailure.create({
    message: sentence,
    type: 'CutoverRefused',
    nonRetryable: true,
    details,
  });
}
