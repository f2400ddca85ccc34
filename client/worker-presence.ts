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

interface Queue {
  name: string;
  type: 1 | 2;
}

/**
 * Whether a worker with all queues of the pool is there: the process of that number on this machine. Its workflows say it
 * for all of them: whose slots are all in use for minutes, by copies, does not poll. One that was killed a minute ago may
 * still count.
 */
export async function isWorkerPresent(
  temporal: TemporalConnection,
  pool: string,
  pid: number,
): Promise<boolean> {
  return (await unpolledQueues(temporal, [workflowQueue(pool)], pid)).length === 0;
}

/**
 * Waits until workers take up the pool's workflows and what they order of the control queue.
 *
 * @param patience milliseconds. Default 15 s.
 * @throws FlexliftError NoWorker, naming the queues that nobody polls
 */
export async function assertControlled(
  temporal: TemporalConnection,
  pool: string,
  patience?: number,
): Promise<void> {
  await waitForWorkers(temporal, pool, () => unpolledQueues(temporal, controlQueues(pool)), patience);
}

/**
 * Waits until workers serve all queues of the pool. Where other migrations are under way in it, nobody polls for copies
 * while all slots are in use.
 *
 * @param patience milliseconds. Default 15 s.
 * @throws FlexliftError NoWorker, naming the queues that nobody polls
 */
export async function assertPoolServed(
  temporal: TemporalConnection,
  pool: string,
  patience?: number,
): Promise<void> {
  const { copy, stream } = taskQueues(pool);
  const work = [copy, stream].map((name) => ({ name, type: QUEUE_TYPES.activity }));
  const unserved = async () => {
    const idle = await unpolledQueues(temporal, [...controlQueues(pool), ...work]);
    const mayBeBusy = idle.length > 0 && idle.every((name) => name === copy || name === stream);
    return mayBeBusy && (await hasOpenWorkflows(temporal, pool)) ? [] : idle;
  };
  await waitForWorkers(temporal, pool, unserved, patience);
}

async function waitForWorkers(
  temporal: TemporalConnection,
  pool: string,
  unserved: () => Promise<string[]>,
  patience = 15_000,
): Promise<void> {
  const deadline = Date.now() + patience;
  for (;;) {
    const idle = await unserved();
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

function workflowQueue(pool: string): Queue {
  return { name: taskQueues(pool).control, type: QUEUE_TYPES.workflow };
}

function controlQueues(pool: string): Queue[] {
  return [workflowQueue(pool), { name: taskQueues(pool).control, type: QUEUE_TYPES.activity }];
}

async function hasOpenWorkflows(temporal: TemporalConnection, pool: string): Promise<boolean> {
  const queue = taskQueues(pool).control.replaceAll("'", "''");
  const query = `TaskQueue = '${queue}' AND ExecutionStatus = 'Running'`;
  return (await temporal.client.workflow.count(query)).count > 0;
}

async function unpolledQueues(
  temporal: TemporalConnection,
  queues: Queue[],
  pid?: number,
): Promise<string[]> {
  const polled = await Promise.all(queues.map((queue) => isPolled(temporal, queue, pid)));
  return [...new Set(queues.filter((_, index) => polled[index] === false).map(({ name }) => name))];
}

async function isPolled(
  temporal: TemporalConnection,
  { name, type: taskQueueType }: Queue,
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
