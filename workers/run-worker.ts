import {
  NativeConnection,
  Runtime,
  TransportError,
  Worker,
  type NativeConnectionOptions,
  type WorkerOptions,
} from '@temporalio/worker';
import { createActivities } from '../activities';
import { workerSecrets } from '../activities/support/secrets';
import { FlexliftError, taskQueues } from '../contract';
import { registerSearchAttributes } from './search-attributes';
import { installRuntime, type RuntimeOptions } from './runtime';
import { workflowSource } from './workflow-source';

export interface RunWorkerOptions extends RuntimeOptions {
  connection: NativeConnectionOptions;
  namespace: string;
  /** Which migrations it serves. */
  pool: string;
  /** Where sealing keys lie. Default: as for the client. */
  keyDirectory?: string;
  /** Copies, checksums and index builds at a time: its budget of connections. Default 16. */
  copySlots?: number;
  /** Keepers, appliers and watches at a time: one for each database that replicates, and those of its load. Default 64. */
  streamSlots?: number;
  /** Which of the pool's queues it serves. Default all. */
  queues?: QueueRole[];
}

export type QueueRole = 'control' | 'copy' | 'stream';

/** Cancellation reaches an activity with the answer to a heartbeat: this bounds how long that takes. */
const HEARTBEAT_THROTTLE = '1s';

/** Workflow tasks of a worker that was killed go to another one after this; the default is 10 s. */
const STICKY_TIMEOUT = '2s';

/** An activity whose worker shuts down is told at once; what is not finished then is taken up by another. */
const SHUTDOWN_FORCE = '20s';

/**
 * Serves the queues of one pool until SIGINT or SIGTERM, then drains and resolves.
 *
 * @throws FlexliftError InvalidRequest where metrics cannot be served, TemporalUnreachable
 */
export async function runWorker(options: RunWorkerOptions): Promise<void> {
  startRuntime(options);
  const connection = await connect(options.connection);
  try {
    if (!(await registerSearchAttributes(connection, options.namespace))) {
      Runtime.instance().logger.warn(
        'The search attributes of flexlift are not registered; migrations run without',
      );
    }
    const workers = await createWorkers(connection, options);
    await runTogether(workers);
  } finally {
    await connection.close();
  }
}

/** @throws FlexliftError TemporalUnreachable */
async function connect(options: NativeConnectionOptions): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(options);
  } catch (cause) {
    if (!(cause instanceof TransportError)) throw cause;
    throw new FlexliftError(
      {
        code: 'TemporalUnreachable',
        sentence: `Temporal at ${options.address} cannot be reached: ${reasonOf(cause)}.`,
        remedy:
          'Start it, or correct TEMPORAL_ADDRESS, the API key or the certificates; without an address flexlift starts its own server.',
      },
      { cause },
    );
  }
}

/** The operating system's words, where Rust's description of the error has them. */
function reasonOf({ message }: Error): string {
  return /message: "([^"]+)"/.exec(message)?.[1] ?? message;
}

/** None stays without the others: a migration needs all of its pool's queues. @throws what the first one failed of */
async function runTogether(workers: Worker[]): Promise<void> {
  const runs = workers.map((worker) => worker.run());
  try {
    await Promise.all(runs);
  } catch (error) {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    await Promise.allSettled(runs);
    throw error;
  }
}

/** @throws FlexliftError where metrics cannot be served where they are asked for */
function startRuntime(options: RunWorkerOptions): void {
  try {
    installRuntime(options);
  } catch (error) {
    if (options.metricsAddress === undefined) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `Metrics cannot be served at ${options.metricsAddress}: ${why}.`,
      remedy: 'Give an address of this machine with a port that is free: --metrics 0.0.0.0:9464.',
    });
  }
}

/** One worker for each queue, all over one connection; a keeper never waits for a copy's slot. */
async function createWorkers(connection: NativeConnection, options: RunWorkerOptions): Promise<Worker[]> {
  const queues = taskQueues(options.pool);
  const activities = createActivities({ secrets: workerSecrets(options.keyDirectory) });
  const common: Omit<WorkerOptions, 'taskQueue'> = {
    connection,
    namespace: options.namespace,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    shutdownForceTime: SHUTDOWN_FORCE,
  };
  const byRole: Record<QueueRole, WorkerOptions> = {
    control: {
      ...common,
      ...workflowSource(),
      taskQueue: queues.control,
      activities,
      maxCachedWorkflows: 200,
      stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    },
    copy: {
      ...common,
      taskQueue: queues.copy,
      activities,
      maxConcurrentActivityTaskExecutions: options.copySlots ?? 16,
    },
    stream: {
      ...common,
      taskQueue: queues.stream,
      activities,
      maxConcurrentActivityTaskExecutions: options.streamSlots ?? 64,
    },
  };
  const roles = options.queues ?? ['control', 'copy', 'stream'];
  return await Promise.all(roles.map((role) => Worker.create(byRole[role])));
}
