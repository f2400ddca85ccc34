import type { WorkflowClient, WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import {
  LOAD_QUERY,
  REPLICATION_QUERY,
  STATUS_QUERY,
  WORKFLOWS,
  type DatabaseStatus,
  type LoadProgress,
  type MigrationStatus,
  type ReplicationStatus,
} from '../contract';
import { isOpen } from './is-open';
import { applierFigures, runningActivities, type RunningActivity } from './pending-activities';
import { withReplications, type LiveReplication } from './replication-figures';
import { memoOf } from './run-memo';
import { isWorkflowUnknown } from './temporal-failure';
import { outcomeOf, QUERY_PATIENCE } from './workflow-outcome';

/** What is known of a migration at one moment. */
export interface MigrationSnapshot {
  /** Version of this shape. */
  version: 1;
  /** ISO 8601. */
  takenAt: string;
  name: string;
  workflowId: string;
  runId: string;
  running: boolean;
  /** With the live figures of loads and replications. Absent: no worker answered, and none did before. */
  status?: MigrationStatus;
  /** The loads under way. */
  loads: (LoadProgress & { database: string })[];
  activities: RunningActivity[];
  /** What keeps it from going on, or from being seen, one sentence with its remedy. */
  notice?: string;
}

const DESCRIBE_PATIENCE = 10_000;
/** A workflow task that failed so often does so because of the code. */
const FAILING_ATTEMPTS = 3;

/** @throws FlexliftError, gRPC errors of a Temporal that does not answer */
export async function migrationSnapshot(handle: WorkflowHandle): Promise<MigrationSnapshot> {
  const { client } = handle;
  const description = await describe(handle);
  const common = {
    version: 1 as const,
    takenAt: new Date().toISOString(),
    name: memoOf(description)?.name ?? handle.workflowId,
    workflowId: handle.workflowId,
    runId: description.runId,
  };
  if (!isOpen(description)) {
    return {
      ...common,
      running: false,
      status: await outcomeOf(handle, description),
      loads: [],
      activities: [],
    };
  }
  const [status, branch] = await Promise.all([
    answer<MigrationStatus>(handle, STATUS_QUERY),
    readBranch(client, description),
  ]);
  const { loads, activities, replications } = branch;
  const notice = status === undefined ? silence(description) : undefined;
  return {
    ...common,
    running: true,
    ...(status === undefined ? {} : { status: withReplications(withLoads(status, loads), replications) }),
    loads,
    activities,
    ...(notice === undefined ? {} : { notice }),
  };
}

export function withLoads(status: MigrationStatus, loads: MigrationSnapshot['loads']): MigrationStatus {
  const databases = status.databases.map((database): DatabaseStatus => {
    const load = loads.find((candidate) => candidate.database === database.database);
    // a load while changes are applied is the new copy of a table: it says nothing of the others
    if (load === undefined || database.phase === 'Replicate') return database;
    return { ...database, planned: load.planned, copied: load.copied };
  });
  return { ...status, databases };
}

interface Branch extends Pick<MigrationSnapshot, 'loads' | 'activities'> {
  replications: LiveReplication[];
}

/** The steps of a workflow and of its children, at most two levels deep. */
async function readBranch(
  client: WorkflowClient,
  description: WorkflowExecutionDescription,
  database?: string,
): Promise<Branch> {
  const own = runningActivities(client, description, database);
  const applier = applierFigures(client, description);
  const children = (description.raw.pendingChildren ?? []).map((child) =>
    readChild(client, description.workflowId, child, database),
  );
  const branches = await Promise.all(children);
  return {
    activities: [...own, ...branches.flatMap((branch) => branch.activities)],
    loads: branches.flatMap((branch) => branch.loads),
    replications: [
      ...(database === undefined || applier === undefined ? [] : [{ database, ...applier }]),
      ...branches.flatMap((branch) => branch.replications),
    ],
  };
}

type PendingChild = NonNullable<WorkflowExecutionDescription['raw']['pendingChildren']>[number];

async function readChild(
  client: WorkflowClient,
  parentId: string,
  { workflowId, runId, workflowTypeName }: PendingChild,
  parentDatabase: string | undefined,
): Promise<Branch> {
  const isReplication = workflowTypeName === WORKFLOWS.replicate;
  // a parent knows the first run of a child that continues as new
  const handle = client.getHandle(workflowId ?? '', isReplication ? undefined : (runId ?? undefined));
  const database = parentDatabase ?? handle.workflowId.slice(`${parentId}/db/`.length);
  const isLoad = workflowTypeName === WORKFLOWS.load;
  try {
    const [description, load, replication] = await Promise.all([
      describe(handle),
      isLoad ? answer<LoadProgress>(handle, LOAD_QUERY) : undefined,
      isReplication ? answer<ReplicationStatus>(handle, REPLICATION_QUERY) : undefined,
    ]);
    const branch = await readBranch(client, description, database);
    return {
      ...branch,
      ...(load === undefined ? {} : { loads: [{ database, ...load }] }),
      replications: [
        ...(replication === undefined ? [] : [{ database, answer: replication }]),
        ...branch.replications,
      ],
    };
  } catch (error) {
    // it was announced and has not started, or has just ended
    if (isWorkflowUnknown(error)) return { loads: [], activities: [], replications: [] };
    throw error;
  }
}

function describe(handle: WorkflowHandle): Promise<WorkflowExecutionDescription> {
  return handle.client.withDeadline(Date.now() + DESCRIBE_PATIENCE, () => handle.describe());
}

/** `undefined`: no worker answered in time, or the one that tried failed. */
async function answer<T>(handle: WorkflowHandle, query: string): Promise<T | undefined> {
  try {
    return await handle.client.withDeadline(Date.now() + QUERY_PATIENCE, () => handle.query<T>(query));
  } catch {
    return undefined;
  }
}

function silence(description: WorkflowExecutionDescription): string {
  const attempt = description.raw.pendingWorkflowTask?.attempt ?? 1;
  if (attempt >= FAILING_ATTEMPTS) {
    return `The workers fail to go on (attempt ${attempt}). See their logs and the Web UI.`;
  }
  const pool = memoOf(description)?.pool ?? 'default';
  return `No worker answers; the migration waits for one. Start it: flexlift worker --pool ${pool}.`;
}
