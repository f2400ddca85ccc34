import {
  WorkflowFailedError,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure } from '@temporalio/common';
import {
  isFailureCode,
  STATUS_QUERY,
  type FailureFields,
  type MigrationState,
  type MigrationStatus,
} from '../contract';
import { cleanedUpSince, withCleanedUp } from './cleaned-up';
import { memoOf } from './run-memo';

/** How long a worker may take to answer a query before it counts as absent. Milliseconds. */
export const QUERY_PATIENCE = 3_000;

/**
 * The status a closed run ended with, and what was cleaned up since. It is the workflow's result; a run that Temporal
 * ended by another way (its own cancel or terminate command, a defect) has none, and is told from what is left of it.
 */
export async function outcomeOf(
  handle: WorkflowHandle,
  description: WorkflowExecutionDescription,
): Promise<MigrationStatus> {
  try {
    const status = (await handle.result()) as MigrationStatus;
    if (status.state !== 'NeedsCleanup') return status;
    return withCleanedUp(status, await cleanedUpSince(handle, description));
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    return await withoutResult(handle, description, error);
  }
}

async function withoutResult(
  handle: WorkflowHandle,
  description: WorkflowExecutionDescription,
  error: WorkflowFailedError,
): Promise<MigrationStatus> {
  const known = await lastAnswer(handle);
  const canceled = error.cause instanceof CancelledFailure;
  const state: MigrationState = canceled ? 'Canceled' : 'Failed';
  return {
    ...(known ?? emptyStatus(description)),
    state,
    endedAt: (description.closeTime ?? new Date()).toISOString(),
    ...(canceled ? {} : { failure: failureOf(error.cause) }),
  };
}

/** A closed workflow still answers its queries where a worker can replay it. */
async function lastAnswer(handle: WorkflowHandle): Promise<MigrationStatus | undefined> {
  try {
    return await handle.client.withDeadline(Date.now() + QUERY_PATIENCE, () =>
      handle.query<MigrationStatus>(STATUS_QUERY),
    );
  } catch {
    return undefined;
  }
}

function emptyStatus(description: WorkflowExecutionDescription): MigrationStatus {
  const memo = memoOf(description);
  return {
    version: 1,
    migrationId: memo?.migrationId ?? '',
    name: memo?.name ?? description.workflowId,
    mode: memo?.mode ?? 'Offline',
    option: memo?.option ?? 'ValidateAndMigrate',
    state: 'Failed',
    source: memo?.source ?? '',
    target: memo?.target ?? '',
    startedAt: description.startTime.toISOString(),
    findings: [],
    databases: [],
  };
}

/** What an activity or a workflow failed with, in our words where it used them. */
export function failureOf(cause: unknown): FailureFields {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof ApplicationFailure && typeof error.type === 'string' && isFailureCode(error.type)) {
      const [fields] = error.details ?? [];
      if (isFailureFields(fields)) return fields;
    }
  }
  const terminated = cause instanceof TerminatedFailure;
  const message = cause instanceof Error ? cause.message : 'no reason given';
  return {
    code: 'Unexpected',
    sentence: terminated ? 'The migration was terminated, without clean-up.' : `It failed: ${message}.`,
    remedy: 'Look into it in the Temporal Web UI, then start the migration again.',
  };
}

function isFailureFields(value: unknown): value is FailureFields {
  return typeof value === 'object' && value !== null && 'sentence' in value && 'remedy' in value;
}
