import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkflowUpdateRPCTimeoutOrCancelledError, type WorkflowHandle } from '@temporalio/client';
import { CANCEL_UPDATE, FlexliftError, type CancelRequest, type MigrationStatus } from '../contract';
import { migrationSnapshot, type MigrationSnapshot } from './migration-snapshot';
import type { StartedRun } from './start-migration';
import type { TemporalConnection } from './temporal-connection';
import { describeTemporalFailure, isTemporalAway, isWorkflowUnknown } from './temporal-failure';
import { outcomeOf } from './workflow-outcome';

export interface WatchOptions {
  /** Milliseconds between two snapshots. Default 1 s. */
  interval?: number;
  /** Ends the watching, not the migration. */
  signal?: AbortSignal;
}

/** How long a worker may take to accept a cancellation. Milliseconds. */
const ACCEPT_PATIENCE = 15_000;

/** One run of a migration. */
export class MigrationHandle {
  private readonly workflow: WorkflowHandle;

  constructor(
    private readonly temporal: TemporalConnection,
    readonly run: StartedRun & { name: string; pool: string },
  ) {
    this.workflow = temporal.client.workflow.getHandle(run.workflowId, run.runId);
  }

  get name(): string {
    return this.run.name;
  }

  get workflowId(): string {
    return this.run.workflowId;
  }

  /** @throws FlexliftError TemporalUnreachable */
  async snapshot(): Promise<MigrationSnapshot> {
    return await this.inOurWords(() => migrationSnapshot(this.workflow));
  }

  /**
   * Snapshots until the migration has ended; the last one says how. A Temporal server that goes away is waited for:
   * meanwhile the last snapshot comes again, with a notice.
   */
  async *watch({ interval = 1_000, signal }: WatchOptions = {}): AsyncGenerator<
    MigrationSnapshot,
    void,
    undefined
  > {
    let last: MigrationSnapshot | undefined;
    while (signal?.aborted !== true) {
      const snapshot = await this.nextSnapshot(last);
      if (snapshot !== undefined) yield snapshot;
      if (snapshot?.running === false) return;
      last = snapshot ?? last;
      await pause(interval, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Waits for the end. */
  async result(): Promise<MigrationStatus> {
    return await this.inOurWords(async () => {
      await this.workflow.result().catch(() => undefined);
      return await outcomeOf(this.workflow, await this.workflow.describe());
    });
  }

  /**
   * Asks a worker to cancel it and returns when that has begun; {@link result} waits for the end of the clean-up.
   * `false`: it had ended before.
   *
   * @throws FlexliftError NoWorker
   */
  async cancel(request: CancelRequest = {}): Promise<boolean> {
    const { client } = this.temporal;
    try {
      await client.withDeadline(Date.now() + ACCEPT_PATIENCE, () =>
        this.workflow.startUpdate<MigrationStatus, [CancelRequest]>(CANCEL_UPDATE, {
          args: [request],
          updateId: `cancel-${randomUUID()}`,
          waitForStage: 'ACCEPTED',
        }),
      );
      return true;
    } catch (error) {
      if (isWorkflowUnknown(error)) return false;
      if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) throw this.notAccepted();
      throw describeTemporalFailure(error, this.temporal) ?? error;
    }
  }

  private async nextSnapshot(last: MigrationSnapshot | undefined): Promise<MigrationSnapshot | undefined> {
    try {
      const snapshot = await migrationSnapshot(this.workflow);
      return snapshot.status === undefined && last?.status !== undefined
        ? { ...snapshot, status: last.status }
        : snapshot;
    } catch (error) {
      const failure = describeTemporalFailure(error, this.temporal);
      if (!isTemporalAway(error)) throw failure ?? error;
      const notice = `Temporal at ${this.temporal.address} does not answer; it is asked again.`;
      return last === undefined
        ? undefined
        : { ...last, takenAt: new Date().toISOString(), activities: [], notice };
    }
  }

  private notAccepted(): FlexliftError {
    const { pool } = this.run;
    return new FlexliftError({
      code: 'NoWorker',
      sentence: `No worker of pool ${pool} took the cancellation of ${this.name} within 15 seconds.`,
      remedy: `Start one: flexlift worker --pool ${pool}; the cancellation then takes effect by itself.`,
    });
  }

  private async inOurWords<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw describeTemporalFailure(error, this.temporal) ?? error;
    }
  }
}
