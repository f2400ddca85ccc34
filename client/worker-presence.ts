import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { FlexliftError, taskQueues } from '../contract';
import type { TemporalConnection } from './temporal-connection';

/** An idle worker asks again once a minute; whoever has been silent for longer is gone. Milliseconds. */
const POLL_LIFE = 75_000;
const INTERVAL = 500;

/** WorkflowExecutionStarted and WorkflowTaskScheduled: what the server writes by itself. */
const UNTOUCHED_EVENTS = 2;

/** `WORKFLOW` and `ACTIVITY` of Temporal's TaskQueueType. */
const QUEUE_TYPES = { workflow: 1, activity: 2 } as const;

/**
 * Whether workers poll all queues of the pool; with `pid`, the process of that number on this machine. One that was
 * killed a minute ago may still count.
 */
export async function isPoolServed(
  temporal: TemporalConnection,
  pool: string,
  pid?: number,
): Promise<boolean> {
  return (await unservedQueues(temporal, pool, pid)).length === 0;
}

/**
 * Waits until workers serve all queues of the pool.
 *
 * @param patience milliseconds. Default 15 s.
 * @throws FlexliftError NoWorker, naming the queues that nobody polls
 */
export async function assertWorkersPoll(
  temporal: TemporalConnection,
  pool: string,
  patience = 15_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    const idle = await unservedQueues(temporal, pool);
    if (idle.length === 0) return;
    if (Date.now() >= deadline) throw noWorker(temporal, pool, idle);
    await pause(INTERVAL);
  }
}

/**
 * Waits until a worker has taken up a run that was just started; a queue may look polled for a while after its last
 * worker died. A run that nobody takes is ended: it has changed nothing, and must not begin unwatched later.
 *
 * @param patience milliseconds. Default 15 s.
 * @throws FlexliftError NoWorker
 */
export async function assertTakenUp(
  temporal: TemporalConnection,
  run: { workflowId: string; runId: string },
  pool: string,
  patience = 15_000,
): Promise<void> {
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  const deadline = Date.now() + patience;
  while ((await handle.describe()).historyLength <= UNTOUCHED_EVENTS) {
    if (Date.now() >= deadline) {
      await handle.terminate('no worker took it up');
      throw noWorker(temporal, pool, [taskQueues(pool).control]);
    }
    await pause(INTERVAL / 5);
  }
}

async function unservedQueues(temporal: TemporalConnection, pool: string, pid?: number): Promise<string[]> {
  const { control, copy, stream } = taskQueues(pool);
  const queues = [
    { name: control, type: QUEUE_TYPES.workflow },
    { name: control, type: QUEUE_TYPES.activity },
    { name: copy, type: QUEUE_TYPES.activity },
    { name: stream, type: QUEUE_TYPES.activity },
  ];
  const polled = await Promise.all(queues.map(({ name, type }) => queueIsPolled(temporal, name, type, pid)));
  return [...new Set(queues.filter((_, index) => polled[index] === false).map(({ name }) => name))];
}

async function queueIsPolled(
  temporal: TemporalConnection,
  name: string,
  taskQueueType: 1 | 2,
  pid: number | undefined,
): Promise<boolean> {
  const { pollers } = await temporal.connection.workflowService.describeTaskQueue({
    namespace: temporal.namespace,
    taskQueue: { name },
    taskQueueType,
  });
  const oldest = Date.now() - POLL_LIFE;
  return (pollers ?? []).some(
    ({ lastAccessTime, identity }) =>
      Number(lastAccessTime?.seconds ?? 0) * 1_000 > oldest &&
      // the SDK's own name of a worker: its pid and its host's name
      (pid === undefined || identity === `${pid}@${hostname()}`),
  );
}

function noWorker(temporal: TemporalConnection, pool: string, queues: string[]): FlexliftError {
  const named = queues.join(', ');
  return new FlexliftError({
    code: 'NoWorker',
    sentence: `No worker polls ${named} in namespace ${temporal.namespace} of Temporal at ${temporal.address}.`,
    remedy: `Start one: flexlift worker --pool ${pool}.`,
  });
}
