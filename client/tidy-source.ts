import { setTimeout as pause } from 'node:timers/promises';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import {
  FlexliftError,
  STATUS_QUERY,
  taskQueues,
  tidyWorkflowId,
  WORKFLOWS,
  type MigrationRequest,
  type MigrationStatus,
  type TidySourceRequest,
} from '../contract';
import { cleanedUpSince, cleanUpMemo } from './cleaned-up';
import { isOpen } from './is-open';
import { runningActivities, type RunningActivity } from './pending-activities';
import type { TemporalConnection } from './temporal-connection';
import { assertControlled, assertTakenUp } from './worker-presence';
import { failureOf, outcomeOf, QUERY_PATIENCE } from './workflow-outcome';

export interface TidyOptions {
  /** Default: all of the migration. */
  databases?: string[];
  /** Told once a second what is under way, and what it waits for. */
  onActivities?: (activities: RunningActivity[]) => void;
  /** Ends the waiting, not the work. */
  signal?: AbortSignal;
}

const INTERVAL = 1_000;

/**
 * Takes away what an ended migration has left on its source, and gives what that was, for a person. The request, with
 * its references to passwords, is the one that the run was started with.
 *
 * @param migration the handle of its last run
 * @throws FlexliftError InvalidRequest where it runs, NoWorker
 */
export async function tidySource(
  temporal: TemporalConnection,
  migration: WorkflowHandle,
  what: TidySourceRequest['what'],
  { databases, onActivities, signal }: TidyOptions,
): Promise<string[]> {
  const description = await migration.describe();
  const request = await requestOf(temporal, description);
  const known = isOpen(description)
    ? await endedIn(migration, what, databases)
    : await databasesOf(migration, description, request);
  const step: TidySourceRequest = { request, databases: namedOf(known, databases), what };
  await assertControlled(temporal, request.pool);
  const before = await cleanedUpSince(migration, description);
  const cleanedUp = what === 'all' ? [...new Set([...before, ...step.databases])] : before;
  const tidy = await startAlone(temporal, tidyWorkflowId(migration.workflowId), step, cleanedUp);
  await assertTakenUp(
    temporal,
    { workflowId: tidy.workflowId, runId: tidy.firstExecutionRunId },
    request.pool,
  );
  for (;;) {
    const now = await tidy.describe();
    if (!isOpen(now)) break;
    onActivities?.(runningActivities(temporal.client.workflow, now, undefined));
    await pause(INTERVAL, undefined, { signal });
  }
  return await resultOf(tidy);
}

/** One at a time; what an earlier one is asked for may be something else, so that its end is waited for. */
async function startAlone(
  { client }: TemporalConnection,
  workflowId: string,
  step: TidySourceRequest,
  cleanedUp: string[],
) {
  const { host, port } = step.request.source;
  for (;;) {
    try {
      return await client.workflow.start<(step: TidySourceRequest) => Promise<string[]>>(
        WORKFLOWS.tidySource,
        {
          workflowId,
          taskQueue: taskQueues(step.request.pool).control,
          args: [step],
          memo: cleanUpMemo(cleanedUp),
          staticSummary: `${step.what === 'fence' ? 'lift the fence of' : 'clean up'} ${host}:${port}`.slice(
            0,
            180,
          ),
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          workflowIdConflictPolicy: 'FAIL',
        },
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      await client.workflow
        .getHandle(workflowId)
        .result()
        .catch(() => undefined);
    }
  }
}

async function resultOf(tidy: { result: () => Promise<string[]> }): Promise<string[]> {
  try {
    return await tidy.result();
  } catch (error) {
    if (error instanceof WorkflowFailedError) throw new FlexliftError(failureOf(error.cause));
    throw error;
  }
}

/** The argument that the run was started with: the first event of its history has it. */
async function requestOf(
  { client, connection, namespace }: TemporalConnection,
  { workflowId, runId }: WorkflowExecutionDescription,
): Promise<MigrationRequest> {
  const { history } = await connection.workflowService.getWorkflowExecutionHistory({
    namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const [started] = history?.events ?? [];
  const payload = started?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (!payload) throw new TypeError(`The history of ${workflowId} does not begin with a request.`);
  return client.workflow.options.loadedDataConverter.payloadConverter.fromPayload<MigrationRequest>(payload);
}

/** `undefined`: it is not known any more. */
async function databasesOf(
  migration: WorkflowHandle,
  description: WorkflowExecutionDescription,
  request: MigrationRequest,
): Promise<string[] | undefined> {
  const { databases } = await outcomeOf(migration, description);
  return databases.length > 0 ? databases.map(({ database }) => database) : request.databases;
}

/** While others go on, one that has ended may be named. */
async function endedIn(
  migration: WorkflowHandle,
  what: TidySourceRequest['what'],
  named: string[] | undefined,
): Promise<string[]> {
  const deadline = Date.now() + QUERY_PATIENCE;
  const status = await migration.client
    .withDeadline(deadline, () => migration.query<MigrationStatus>(STATUS_QUERY))
    .catch(() => undefined);
  const goesOn = (name: string) =>
    status?.databases.some(({ database, endedAt }) => database === name && endedAt === undefined) ?? true;
  if (status === undefined || named === undefined || named.some(goesOn)) throw stillRuns(what);
  return status.databases.map(({ database }) => database);
}

function namedOf(known: string[] | undefined, named: string[] | undefined): string[] {
  const unknown = named?.find((name) => known?.includes(name) === false);
  if (unknown !== undefined) {
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `The migration has no database ${JSON.stringify(unknown)}.`,
      remedy: `It has ${known?.map((name) => JSON.stringify(name)).join(', ')}.`,
    });
  }
  const databases = named ?? known;
  if (databases !== undefined) return databases;
  throw new FlexliftError({
    code: 'InvalidRequest',
    sentence: 'Which databases the migration had is not known any more.',
    remedy: 'Name them: --database, once for each.',
  });
}

function stillRuns(what: TidySourceRequest['what']): FlexliftError {
  return new FlexliftError({
    code: 'InvalidRequest',
    sentence: 'The migration still runs and needs what it has made on the source.',
    remedy:
      what === 'fence'
        ? 'Call the cutover off, which lifts the fence: flexlift cutover --abort; or name databases that have ended: --database.'
        : 'Cancel it first, which cleans up: flexlift cancel; or name databases that have ended: --database.',
  });
}
