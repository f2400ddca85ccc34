import { setTimeout as pause } from 'node:timers/promises';
import type { WorkflowHandle } from '@temporalio/client';
import {
  ABORT_CUTOVER_UPDATE,
  ACCEPT_DRIFT_UPDATE,
  CANCEL_UPDATE,
  CUTOVER_UPDATE,
  FlexliftError,
  PAUSE_UPDATE,
  RECOPY_UPDATE,
  RESUME_UPDATE,
  THROTTLE_UPDATE,
  type CancelRequest,
  type DatabasesRequest,
  type MigrationStatus,
  type RecopyRequest,
  type ThrottleRequest,
} from '../contract';
import { migrationSnapshot, type MigrationSnapshot } from './migration-snapshot';
import { startUpdate, type AcceptedUpdate } from './migration-update';
import type { StartedRun } from './start-migration';
import type { TemporalConnection } from './temporal-connection';
import { describeTemporalFailure, inOurWords, isTemporalAway } from './temporal-failure';
import {
  checkCutoverOptions,
  checkDatabasesRequest,
  checkRecopyRequest,
  checkThrottleRequest,
  type CutoverOptions,
} from './update-requests';
import { assertControlled } from './worker-presence';
import { outcomeOf } from './workflow-outcome';

export interface WatchOptions {
  /** Milliseconds between two snapshots. Default 1 s. */
  interval?: number;
  /** Ends the watching, not the migration. */
  signal?: AbortSignal;
}

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
    return await inOurWords(this.temporal, () => migrationSnapshot(this.workflow));
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
    return await inOurWords(this.temporal, async () => {
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
    const asked = { update: CANCEL_UPDATE, what: 'cancellation', request };
    return (await startUpdate(this.temporal, this.updated(), asked)) !== undefined;
  }

  /**
   * Cuts databases over to the target and returns when that has begun. The result comes when each of them is released
   * or its cutover called off; `databases[].cutover` says which. A second cutover joins the one that runs.
   *
   * @throws FlexliftError CutoverRefused, InvalidRequest, NoWorker; RequestError
   */
  async cutover(options: CutoverOptions = {}): Promise<AcceptedUpdate> {
    return await this.ask(CUTOVER_UPDATE, 'cutover', checkCutoverOptions(options));
  }

  /**
   * Calls cutovers off. The result comes when the source takes writes again.
   *
   * @throws FlexliftError InvalidRequest where none runs, NoWorker; RequestError
   */
  async abortCutover(request: DatabasesRequest = {}): Promise<AcceptedUpdate> {
    return await this.ask(ABORT_CUTOVER_UPDATE, 'end of the cutover', checkDatabasesRequest(request));
  }

  /**
   * Changes are applied no more, and pile up on the source, until {@link resume}. The result comes when the batch
   * under way is in.
   *
   * @throws FlexliftError InvalidRequest, NoWorker; RequestError
   */
  async pause(request: DatabasesRequest = {}): Promise<AcceptedUpdate> {
    return await this.ask(PAUSE_UPDATE, 'pause', checkDatabasesRequest(request));
  }

  /**
   * Goes on after {@link pause}, or after a failure that has been mended.
   *
   * @throws FlexliftError InvalidRequest, NoWorker; RequestError
   */
  async resume(request: DatabasesRequest = {}): Promise<AcceptedUpdate> {
    return await this.ask(RESUME_UPDATE, 'resumption', checkDatabasesRequest(request));
  }

  /**
   * Copies a table anew while the others go on; without a table all of a database, with a new slot.
   *
   * @throws FlexliftError InvalidRequest, NoWorker; RequestError
   */
  async recopy(request: RecopyRequest = {}): Promise<AcceptedUpdate> {
    return await this.ask(RECOPY_UPDATE, 'new copy', checkRecopyRequest(request));
  }

  /**
   * Says that what changed in the source's schema is meant: it stops the cutover no more.
   *
   * @throws FlexliftError InvalidRequest, NoWorker; RequestError
   */
  async acceptDrift(request: DatabasesRequest = {}): Promise<AcceptedUpdate> {
    return await this.ask(ACCEPT_DRIFT_UPDATE, 'acceptance of the drift', checkDatabasesRequest(request));
  }

  /**
   * Changes how much the source may be asked for. Copies in flight follow a rate within seconds; where sessions are too
   * many, nothing new begins until enough have ended.
   *
   * @throws FlexliftError InvalidRequest where it is too little to go on, NoWorker; RequestError
   */
  async throttle(request: ThrottleRequest): Promise<AcceptedUpdate> {
    return await this.ask(THROTTLE_UPDATE, 'change of the throttle', checkThrottleRequest(request));
  }

  /** Looks for workers first: what nobody takes would stay behind and begin later, unwatched. */
  private async ask(update: string, what: string, request: object): Promise<AcceptedUpdate> {
    if (this.run.how !== 'ended') {
      await inOurWords(this.temporal, () => assertControlled(this.temporal, this.run.pool));
      const accepted = await startUpdate(this.temporal, this.updated(), { update, what, request });
      if (accepted !== undefined) return accepted;
    }
    throw new FlexliftError({
      code: 'InvalidRequest',
      sentence: `The migration ${this.name} has ended: the ${what} comes too late.`,
      remedy: `See how it ended: flexlift show ${this.name}.`,
    });
  }

  private updated() {
    return { workflow: this.workflow, name: this.name, pool: this.run.pool };
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
}
