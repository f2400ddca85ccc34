import { WorkflowExecutionAlreadyStartedError, type WorkflowHandle } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  FlexliftError,
  migrationWorkflowId,
  SEARCH_ATTRIBUTES,
  taskQueues,
  WORKFLOWS,
  type MigrationRequest,
} from '../contract';
import { comparableRequest } from './comparable-request';
import { isOpen } from './is-open';
import { sealRequest, type WantedMigration } from './migration-request';
import { nextRun, type NextRun, type PreviousRun } from './next-run';
import { memoOf, toMemo, type RunMemo } from './run-memo';
import type { TemporalConnection } from './temporal-connection';
import { grpcCode, isWorkflowUnknown } from './temporal-failure';
import { sourceTypeOf } from './source-type';
import { outcomeOf } from './workflow-outcome';

const INVALID_ARGUMENT = 3;
/** Two clients that start the same name at once; the loser looks again. */
const RACES = 3;

export interface StartOptions {
  /** The key to seal with; called only where there is a password in clear. */
  key: () => Promise<Buffer>;
  /** Runs once it is clear that a run is to be started; what it throws prevents that. */
  beforeStart: () => Promise<void>;
  /** Something went another way than usual, one sentence. */
  onNotice?: (sentence: string) => void;
}

export interface StartedRun {
  workflowId: string;
  runId: string;
  /** `started` now; `running` or `ended` before: nothing was started. */
  how: 'started' | 'running' | 'ended';
}

/**
 * Starts the migration's next run, or finds the run that does what is wanted; see {@link nextRun}.
 *
 * @throws FlexliftError NameTaken
 */
export async function startMigration(
  temporal: TemporalConnection,
  wanted: WantedMigration,
  options: StartOptions,
): Promise<StartedRun> {
  const workflowId = migrationWorkflowId(wanted.target, wanted.name);
  for (let race = 1; ; race++) {
    const found = await lastRun(temporal.client.workflow.getHandle(workflowId), wanted.name);
    const next = nextRun(found?.previous, comparableRequest(wanted));
    if (next.kind === 'attach' && found !== undefined) {
      return { workflowId, runId: found.runId, how: found.running ? 'running' : 'ended' };
    }
    if (next.kind !== 'start') continue;
    try {
      return await startRun(temporal, workflowId, wanted, next, options);
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || race === RACES) throw error;
    }
  }
}

interface FoundRun {
  runId: string;
  running: boolean;
  previous: PreviousRun;
}

async function lastRun(handle: WorkflowHandle, name: string): Promise<FoundRun | undefined> {
  const description = await handle.describe().catch((error: unknown) => {
    if (isWorkflowUnknown(error)) return undefined;
    throw error;
  });
  if (description === undefined) return undefined;
  const memo = memoOf(description);
  if (memo === undefined) {
    throw new FlexliftError({
      code: 'NameTaken',
      sentence: `A workflow that is no migration of flexlift has the id ${handle.workflowId}.`,
      remedy: `Give another name than ${name}.`,
    });
  }
  const running = isOpen(description);
  const state = running ? 'InProgress' : (await outcomeOf(handle, description)).state;
  return { runId: description.runId, running, previous: { state, memo } };
}

async function startRun(
  temporal: TemporalConnection,
  workflowId: string,
  wanted: WantedMigration,
  next: Extract<NextRun, { kind: 'start' }>,
  { key, beforeStart, onNotice }: StartOptions,
): Promise<StartedRun> {
  await beforeStart();
  const request = await sealRequest(wanted, next.identity, key);
  const memo = runMemo(wanted, next);
  try {
    return await startWorkflow(temporal, workflowId, request, memo);
  } catch (error) {
    if (!isAttributeRefusal(error)) throw error;
    onNotice?.(
      "This Temporal namespace does not know flexlift's search attributes: the migration goes on without them.",
    );
    return await startWorkflow(temporal, workflowId, { ...request, searchAttributes: false }, memo);
  }
}

async function startWorkflow(
  { client }: TemporalConnection,
  workflowId: string,
  request: MigrationRequest,
  memo: RunMemo,
): Promise<StartedRun> {
  const handle = await client.workflow.start(WORKFLOWS.migration, {
    workflowId,
    taskQueue: taskQueues(request.pool).control,
    args: [request],
    memo: toMemo(memo),
    staticSummary: `${memo.source} to ${memo.target}`.slice(0, 180),
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    workflowIdConflictPolicy: 'FAIL',
    ...(request.searchAttributes ? { typedSearchAttributes: searchAttributes(request, memo) } : {}),
  });
  return { workflowId, runId: handle.firstExecutionRunId, how: 'started' };
}

function runMemo(
  wanted: WantedMigration,
  { identity, resumes }: Extract<NextRun, { kind: 'start' }>,
): RunMemo {
  return {
    version: 1,
    name: wanted.name,
    ...identity,
    mode: wanted.mode,
    option: wanted.option,
    pool: wanted.pool,
    source: `${wanted.source.host}:${wanted.source.port}`,
    target: `${wanted.target.host}:${wanted.target.port}`,
    resumes,
    request: comparableRequest(wanted),
  };
}

function searchAttributes(request: MigrationRequest, memo: RunMemo) {
  const keyword = (name: string) => defineSearchAttributeKey(name, SearchAttributeType.KEYWORD);
  return [
    { key: keyword(SEARCH_ATTRIBUTES.state), value: 'InProgress' },
    { key: keyword(SEARCH_ATTRIBUTES.mode), value: request.mode },
    { key: keyword(SEARCH_ATTRIBUTES.target), value: memo.target },
    { key: keyword(SEARCH_ATTRIBUTES.sourceType), value: sourceTypeOf(request.source.host) },
  ];
}

function isAttributeRefusal(error: unknown): boolean {
  const text =
    error instanceof Error ? `${error.message} ${String((error.cause as Error | undefined)?.message)}` : '';
  return grpcCode(error) === INVALID_ARGUMENT && /search attribute/i.test(text);
}
