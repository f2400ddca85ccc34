import { randomBytes } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { connectTemporal, type TemporalConnection } from '../../client/temporal-connection';
import {
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  migrationWorkflowId,
  taskQueues,
  WORKFLOWS,
  type MigrationRequest,
  type ServerAddress,
} from '../../contract';
import type { migration } from '../../workflows';
import { testTemporalAddress } from './temporal';

/** Short enough that a test of a dead worker ends within seconds. */
export const TEST_TIMEOUTS = {
  ...DEFAULT_TIMEOUTS,
  heartbeat: 4_000,
  validation: 5_000,
  lock: 1_000,
  retryInitial: 250,
  retryMaximum: 1_000,
};

export type MigrationHandle = WorkflowHandle<typeof migration>;

/** A request between two servers, with a pool of its own, so that tests do not share workers. */
export function testRequest(
  source: ServerAddress,
  target: ServerAddress,
  change: Partial<MigrationRequest> = {},
): MigrationRequest {
  const migrationId = randomBytes(6).toString('hex');
  return {
    version: 1,
    migrationId,
    generation: 1,
    name: `test-${migrationId}`,
    mode: 'Offline',
    option: 'ValidateAndMigrate',
    source,
    target,
    overwrite: false,
    noOwner: false,
    noPrivileges: false,
    compare: true,
    onCancel: 'keep-target',
    keylessTables: 'append',
    limits: DEFAULT_LIMITS,
    timeouts: TEST_TIMEOUTS,
    searchAttributes: true,
    pool: `test-${migrationId}`,
    ...change,
  };
}

/** Starts migrations by the bare Temporal client and remembers what to close. */
export class Migrations {
  private constructor(private readonly temporal: TemporalConnection) {}

  static async connect(address = testTemporalAddress(), namespace = 'default'): Promise<Migrations> {
    return new Migrations(await connectTemporal({ address, namespace }));
  }

  get client(): Client {
    return this.temporal.client;
  }

  async start(request: MigrationRequest): Promise<MigrationHandle> {
    return await this.client.workflow.start<typeof migration>(WORKFLOWS.migration, {
      workflowId: migrationWorkflowId(request.target, request.name),
      taskQueue: taskQueues(request.pool).control,
      args: [request],
    });
  }

  async close(): Promise<void> {
    await this.temporal.close();
  }
}
