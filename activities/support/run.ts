import { randomBytes } from 'node:crypto';
import { Context } from '@temporalio/activity';
import type { Client } from 'pg';
import type { HeartbeatProgress, MigrationRequest } from '../../contract';
import {
  activityPrefix,
  applicationName,
  endPredecessors,
  whileBothOpen,
  withConnection,
  workPrefix,
  type Endpoint,
  type SessionOwner,
  type Side,
} from '../../postgres/connect';
import type { Pace } from '../../postgres/copy';
import type { LedgerIdentity } from '../../postgres/ledger';
import { toApplicationFailure } from './failure';
import type { Secrets } from './secrets';
import { withPace } from './source-pace';

/** How often progress is handed to the SDK, which throttles by itself. Milliseconds. */
const HEARTBEAT_INTERVAL = 1_000;

/** What one attempt of one step has at hand. */
export interface Run {
  request: MigrationRequest;
  identity: LedgerIdentity;
  signal: AbortSignal;
  attempt: number;
  /** Equal for all attempts of this piece of work; see `workPrefix`. */
  workPrefix: string;
  /** Equal for all work of this kind. */
  activityPrefix: string;
  endpoint(side: Side): Endpoint;
  /** One session on a database of that side; what earlier attempts left running there is ended first. */
  session<T>(side: Side, database: string, work: (client: Client) => Promise<T>): Promise<T>;
  /** One on each side, opened at the same time. */
  sessions<T>(database: string, work: (source: Client, target: Client) => Promise<T>): Promise<T>;
  /** Of a copy: at the pace that its load gives it. */
  paced<T>(work: (pace: Pace) => Promise<T>): Promise<T>;
  /** Rides in the heartbeat. */
  progress(progress: Partial<HeartbeatProgress>): void;
}

/**
 * Makes an activity of a step: gives it its {@link Run}, heartbeats while it works, and turns what it throws into one
 * failure of the vocabulary. A cancellation passes as it is.
 */
export function durableStep<Step extends { request: MigrationRequest }, Result>(
  secrets: Secrets,
  work: (step: Step, run: Run) => Promise<Result>,
): (step: Step) => Promise<Result> {
  return async (step) => {
    const context = Context.current();
    const progress: HeartbeatProgress = {
      ...{ what: context.info.activityType, rows: 0, bytes: 0 },
      ...figuresBefore(context),
    };
    const heartbeat = setInterval(() => context.heartbeat(progress), HEARTBEAT_INTERVAL);
    try {
      context.heartbeat(progress);
      return await work(step, createRun(step, secrets, context, progress));
    } catch (error) {
      // whatever broke because of the cancellation is the cancellation
      context.cancellationSignal.throwIfAborted();
      throw toApplicationFailure(error);
    } finally {
      clearInterval(heartbeat);
    }
  };
}

function createRun(
  step: { request: MigrationRequest },
  secrets: Secrets,
  context: Context,
  progress: HeartbeatProgress,
): Run {
  const { request } = step;
  const { migrationId, generation, timeouts } = request;
  const { activityType: activity, attempt, workflowExecution } = context.info;
  const owner: SessionOwner = {
    migrationId,
    activity,
    workKey: workKey(step, workflowExecution?.workflowId),
    // a replication's segments are equal work with equal attempts: the one before, on a worker that stands still, is told
    // from this one
    attempt: randomBytes(4).toString('hex'),
  };
  const signal = context.cancellationSignal;
  const endpoint = (side: Side): Endpoint => ({
    side,
    address: request[side],
    resolvePassword: () => secrets.resolve(request[side], migrationId),
    applicationName: applicationName(owner),
    connectTimeout: timeouts.connect,
    silence: timeouts.silence,
  });
  const session: Run['session'] = (side, database, work) =>
    withConnection(endpoint(side), database, signal, async (client) => {
      await endPredecessors(client, workPrefix(owner));
      return await work(client);
    });
  return {
    request,
    identity: { migrationId, generation },
    signal,
    attempt,
    workPrefix: workPrefix(owner),
    activityPrefix: activityPrefix(owner),
    endpoint,
    session,
    sessions: (database, work) =>
      whileBothOpen(
        (use) => session('source', database, use),
        (use) => session('target', database, use),
        work,
      ),
    paced: (work) => withPace(context, request, work),
    progress(change) {
      Object.assign(progress, change);
    },
  };
}

/** A retry that cannot begin must not hide how far it had come. */
function figuresBefore({ info }: Context): Pick<HeartbeatProgress, 'replicationBefore'> {
  const before = info.heartbeatDetails as Partial<HeartbeatProgress> | undefined;
  const figures = before?.replication ?? before?.replicationBefore;
  return figures === undefined ? {} : { replicationBefore: figures };
}

/**
 * Tells one piece of work from another: the step's argument without the request. A cutover proves what the replication
 * proves at the same time; neither is to end the other's sessions.
 */
function workKey(step: { request: MigrationRequest }, workflowId: string | undefined): string {
  return JSON.stringify({ ...step, request: undefined, workflowId });
}
