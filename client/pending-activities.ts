import type { WorkflowClient, WorkflowExecutionDescription } from '@temporalio/client';
import { TimeoutFailure } from '@temporalio/common';
import type { FailureFields, HeartbeatProgress, ReplicationProgress } from '../contract';
import { failureOf } from './workflow-outcome';

/** A step that is under way, or waits for its next try. */
export interface RunningActivity {
  /** Absent: a step on the servers. */
  database?: string;
  /** Its type, e.g. `copyPart`. */
  activity: string;
  /** For a person. */
  what: string;
  /** Of this attempt, not yet committed. */
  rows: number;
  /** Of this attempt, not yet committed. */
  bytes: number;
  attempt: number;
  /** `waiting`: for a worker, or for its next try. */
  state: 'running' | 'waiting' | 'canceling';
  /** Why the attempt before failed; absent once the applier applies changes again. */
  failure?: FailureFields;
  /** ISO 8601; only while it waits for its next try. */
  nextTryAt?: string;
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

/** What watches the source; while nothing is to be applied, it is not the applier. */
const WATCHERS = new Set(['applyChanges', 'watchSource']);

// PendingActivityState of Temporal's API
const SCHEDULED = 1;
const CANCEL_REQUESTED = 3;

export function runningActivities(
  client: WorkflowClient,
  description: WorkflowExecutionDescription,
  database: string | undefined,
): RunningActivity[] {
  return (description.raw.pendingActivities ?? []).map((pending) => {
    const { what, rows, bytes } = heartbeatOf(client, pending);
    const activity = pending.activityType?.name ?? '';
    const state = stateOf(pending);
    return {
      ...(database === undefined ? {} : { database }),
      activity,
      what: what ?? activity,
      // the figures of a failed attempt stay until the next one reports: what it had in flight is gone
      rows: state === 'waiting' ? 0 : (rows ?? 0),
      bytes: state === 'waiting' ? 0 : (bytes ?? 0),
      attempt: pending.attempt ?? 1,
      state,
      ...retryOf(client, pending),
    };
  });
}

/** What the applier or the watch says itself, newer than what its workflow knows; `undefined`: neither runs here. */
export function applierFigures(
  client: WorkflowClient,
  description: WorkflowExecutionDescription,
): { heartbeat?: ReplicationProgress; isInterrupted: boolean } | undefined {
  const applier = (description.raw.pendingActivities ?? []).find(({ activityType }) =>
    WATCHERS.has(activityType?.name ?? ''),
  );
  if (applier === undefined) return undefined;
  const { replication, replicationBefore } = heartbeatOf(client, applier);
  const heartbeat = replication ?? replicationBefore;
  return { heartbeat, isInterrupted: retryOf(client, applier).failure !== undefined };
}

function heartbeatOf(client: WorkflowClient, pending: PendingActivity): Partial<HeartbeatProgress> {
  const payload = pending.heartbeatDetails?.payloads?.[0];
  if (!payload) return {};
  return (
    client.options.loadedDataConverter.payloadConverter.fromPayload<Partial<HeartbeatProgress> | null>(
      payload,
    ) ?? {}
  );
}

function stateOf({ state }: PendingActivity): RunningActivity['state'] {
  if (Number(state) === CANCEL_REQUESTED) return 'canceling';
  return Number(state) === SCHEDULED ? 'waiting' : 'running';
}

function retryOf(
  client: WorkflowClient,
  pending: PendingActivity,
): Pick<RunningActivity, 'failure' | 'nextTryAt'> {
  if (!pending.lastFailure) return {};
  // changes are applied again: what the attempt before failed of is over
  if (stateOf(pending) !== 'waiting' && heartbeatOf(client, pending).replication !== undefined) return {};
  const { failureConverter, payloadConverter } = client.options.loadedDataConverter;
  const error = failureConverter.failureToError(pending.lastFailure, payloadConverter);
  const failure = error instanceof TimeoutFailure ? workerSilent() : failureOf(error);
  const next = pending.nextAttemptScheduleTime?.seconds;
  if (Number(pending.state) !== SCHEDULED || !next) return { failure };
  return { failure, nextTryAt: new Date(Number(next) * 1_000).toISOString() };
}

function workerSilent(): FailureFields {
  return {
    code: 'Unexpected',
    sentence: 'The worker that did this fell silent.',
    remedy: 'Another one takes it up by itself; see that one runs.',
  };
}
