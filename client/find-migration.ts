import type { WorkflowExecutionInfo } from '@temporalio/client';
import { FlexliftError, SEARCH_ATTRIBUTES, WORKFLOWS, type MigrationState } from '../contract';
import { isOpen } from './is-open';
import { memoOf } from './run-memo';
import type { TemporalConnection } from './temporal-connection';
import { isWorkflowUnknown } from './temporal-failure';
import { outcomeOf } from './workflow-outcome';

/** One line of the list. */
export interface MigrationSummary {
  name: string;
  workflowId: string;
  runId: string;
  state: MigrationState;
  /** `host:port`. */
  source: string;
  /** `host:port`. */
  target: string;
  /** ISO 8601. */
  startedAt: string;
  /** ISO 8601. */
  endedAt?: string;
  pool: string;
}

/** The latest run of each migration, newest first. */
export async function listMigrations(temporal: TemporalConnection): Promise<MigrationSummary[]> {
  const runs = await latestRuns(temporal);
  return await Promise.all(runs.map((run) => summarize(temporal, run)));
}

/**
 * @param name a migration's name or its workflow id
 * @throws FlexliftError MigrationUnknown; InvalidRequest, where several servers have one of that name
 */
export async function findMigration(temporal: TemporalConnection, name: string): Promise<string> {
  if (name.startsWith('migration/') && (await exists(temporal, name))) return name;
  const found = (await latestRuns(temporal)).filter((run) => memoOf(run)?.name === name);
  if (found.length > 1) {
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `Several targets have a migration ${name}: ${found.map((run) => run.workflowId).join(', ')}.`,
      remedy: 'Give the whole id instead of the name.',
    });
  }
  const [only] = found;
  if (only !== undefined) return only.workflowId;
  throw new FlexliftError({
    code: 'MigrationUnknown',
    sentence: `Namespace ${temporal.namespace} of Temporal at ${temporal.address} has no migration ${name}.`,
    remedy: 'See which there are: flexlift list.',
  });
}

async function latestRuns({ client }: TemporalConnection): Promise<WorkflowExecutionInfo[]> {
  const latest = new Map<string, WorkflowExecutionInfo>();
  for await (const run of client.workflow.list({ query: `WorkflowType = '${WORKFLOWS.migration}'` })) {
    const known = latest.get(run.workflowId);
    if (memoOf(run) === undefined || (known !== undefined && known.startTime >= run.startTime)) continue;
    latest.set(run.workflowId, run);
  }
  return [...latest.values()].sort((a, b) => b.startTime.getTime() - a.startTime.getTime());
}

async function summarize(
  temporal: TemporalConnection,
  run: WorkflowExecutionInfo,
): Promise<MigrationSummary> {
  const memo = memoOf(run);
  return {
    name: memo?.name ?? run.workflowId,
    workflowId: run.workflowId,
    runId: run.runId,
    state: await stateOf(temporal, run),
    source: memo?.source ?? '',
    target: memo?.target ?? '',
    startedAt: run.startTime.toISOString(),
    ...(run.closeTime === undefined ? {} : { endedAt: run.closeTime.toISOString() }),
    pool: memo?.pool ?? 'default',
  };
}

/** The search attribute says it in the list itself; a namespace without it costs a look at the result. */
async function stateOf(temporal: TemporalConnection, run: WorkflowExecutionInfo): Promise<MigrationState> {
  const attribute = run.typedSearchAttributes
    .getAll()
    .find(({ key }) => key.name === (SEARCH_ATTRIBUTES.state as string))?.value;
  if (isOpen(run)) {
    return attribute === 'CleaningUp' || attribute === 'WaitingForUserAction' ? attribute : 'InProgress';
  }
  const isSettled = run.status.name === 'COMPLETED' && attribute !== 'NeedsCleanup';
  if (isSettled && typeof attribute === 'string') return attribute as MigrationState;
  const handle = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  return (await outcomeOf(handle, await handle.describe())).state;
}

async function exists({ client }: TemporalConnection, workflowId: string): Promise<boolean> {
  try {
    await client.workflow.getHandle(workflowId).describe();
    return true;
  } catch (error) {
    if (isWorkflowUnknown(error)) return false;
    throw error;
  }
}
