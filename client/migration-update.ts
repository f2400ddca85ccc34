import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type WorkflowHandle,
  type WorkflowUpdateHandle,
} from '@temporalio/client';
import { FlexliftError, type MigrationStatus } from '../contract';
import type { TemporalConnection } from './temporal-connection';
import { describeTemporalFailure, isTemporalAway, isWorkflowUnknown } from './temporal-failure';
import { failureOf } from './workflow-outcome';

/** A request that the migration has accepted and now carries out. */
export interface AcceptedUpdate {
  /**
   * Waits until it is carried out; a Temporal server that goes away is waited for.
   *
   * @param options.signal ends the waiting, not the work
   * @throws FlexliftError with the migration's reason where it cannot be carried out
   */
  result(options?: { signal?: AbortSignal }): Promise<MigrationStatus>;
}

export interface UpdatedMigration {
  workflow: WorkflowHandle;
  name: string;
  pool: string;
}

/** How long a worker may take to accept a request. Milliseconds. */
const ACCEPT_PATIENCE = 15_000;
/** An answer that the server had at once, a rejection among them, is decoded within this. Milliseconds. */
const ANSWER_AT_HAND = 100;
const RETRY = 1_000;

/**
 * Asks a worker for something and returns when that is accepted; `undefined`: the migration had ended before.
 *
 * @param what is asked for, a noun for errors
 * @throws FlexliftError NoWorker, or what the migration rejects it with
 */
export async function startUpdate(
  temporal: TemporalConnection,
  { workflow, name, pool }: UpdatedMigration,
  { update, what, request }: { update: string; what: string; request: object },
): Promise<AcceptedUpdate | undefined> {
  try {
    const handle = await temporal.client.withDeadline(Date.now() + ACCEPT_PATIENCE, () =>
      workflow.startUpdate<MigrationStatus, [object]>(update, {
        args: [request],
        updateId: `${update}-${randomUUID()}`,
        waitForStage: 'ACCEPTED',
      }),
    );
    const first = handle.result();
    // whoever asks for the result sees its failure; who doesn't is not to be ended by it
    first.catch(() => undefined);
    await Promise.race([first, pause(ANSWER_AT_HAND)]);
    return { result: ({ signal } = {}) => carriedOut(temporal, workflow, { handle, first, signal }) };
  } catch (error) {
    if (isWorkflowUnknown(error)) return undefined;
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw notAccepted(what, name, pool);
    throw updateFailure(error, temporal);
  }
}

interface Waiting {
  handle: WorkflowUpdateHandle<MigrationStatus>;
  first: Promise<MigrationStatus>;
  signal: AbortSignal | undefined;
}

async function carriedOut(
  temporal: TemporalConnection,
  workflow: WorkflowHandle,
  { handle, first, signal }: Waiting,
): Promise<MigrationStatus> {
  const again = workflow.getUpdateHandle<MigrationStatus>(handle.updateId);
  for (let answer = first; ; answer = again.result()) {
    try {
      return await answer;
    } catch (error) {
      if (temporal.closed.aborted || !isTemporalAway(error)) throw updateFailure(error, temporal);
      await pause(RETRY, undefined, { signal });
    }
  }
}

function updateFailure(error: unknown, temporal: TemporalConnection): unknown {
  if (error instanceof WorkflowUpdateFailedError) return new FlexliftError(failureOf(error.cause));
  if (isWorkflowUnknown(error)) return endedMeanwhile();
  return describeTemporalFailure(error, temporal) ?? error;
}

function notAccepted(what: string, name: string, pool: string): FlexliftError {
  return new FlexliftError({
    code: 'NoWorker',
    sentence: `No worker of pool ${pool} took the ${what} of ${name} within 15 seconds.`,
    remedy: `Start one: flexlift worker --pool ${pool}; the ${what} then takes effect by itself.`,
  });
}

function endedMeanwhile(): FlexliftError {
  return new FlexliftError({
    code: 'MigrationUnknown',
    sentence: 'The migration ended before this was carried out.',
    remedy: 'See how it ended: flexlift show.',
  });
}
