import {
  ActivityCancellationType,
  proxyActivities,
  type ActivityInterfaceFor,
  type ActivityOptions,
} from '@temporalio/workflow';
import type { Activities } from '../activities';
import { taskQueues, type MigrationRequest } from '../contract';

/** What passes by itself is waited for within an attempt; a worker may be replaced meanwhile. */
const VALIDATION_ATTEMPTS = 5;

/**
 * Milliseconds. While nobody applies changes or holds a snapshot, all else waits; each worker that dies counts as an
 * attempt, and a segment is one activity: a few of them would make the pauses long.
 */
const LONGEST_STREAM_PAUSE = 5_000;

/** One proxy per class of timeout; all their figures come from the request. */
export interface ActivityClasses {
  /** Runs before anything is changed: it says what is wrong instead of trying for ever. */
  validation: ActivityInterfaceFor<Activities>;
  /** Short SQL on the control queue. */
  short: ActivityInterfaceFor<Activities>;
  /** Hours of SQL on the control queue: pre-data, post-data, comparison of the catalog. */
  long: ActivityInterfaceFor<Activities>;
  /** Bulk work: copies, checksums, index builds. */
  bulk: ActivityInterfaceFor<Activities>;
  /** Keepers and appliers. */
  stream: ActivityInterfaceFor<Activities>;
}

export function activityClasses(request: MigrationRequest): ActivityClasses {
  const { timeouts } = request;
  const queues = taskQueues(request.pool);
  const common: ActivityOptions = {
    // the default, TRY_CANCEL, would go on while the statement still runs on the server
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    heartbeatTimeout: timeouts.heartbeat,
    // attempts are unlimited: a deploy uses one up, so their number says nothing; errors stop by their class
    retry: {
      initialInterval: timeouts.retryInitial,
      maximumInterval: timeouts.retryMaximum,
      backoffCoefficient: 2,
    },
  };
  const of = (options: ActivityOptions) => proxyActivities<Activities>({ ...common, ...options });
  return {
    validation: of({
      taskQueue: queues.control,
      startToCloseTimeout: timeouts.long,
      retry: { ...common.retry, maximumAttempts: VALIDATION_ATTEMPTS },
    }),
    short: of({ taskQueue: queues.control, startToCloseTimeout: timeouts.short }),
    long: of({ taskQueue: queues.control, startToCloseTimeout: timeouts.long }),
    bulk: of({ taskQueue: queues.copy, startToCloseTimeout: timeouts.long }),
    stream: of({
      taskQueue: queues.stream,
      startToCloseTimeout: timeouts.long,
      retry: {
        ...common.retry,
        maximumInterval: Math.min(
          timeouts.retryMaximum,
          Math.max(timeouts.retryInitial, LONGEST_STREAM_PAUSE),
        ),
      },
    }),
  };
}
