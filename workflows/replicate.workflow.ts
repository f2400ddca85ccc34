import {
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  isCancellation,
  setCurrentDetails,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import {
  END_SIGNAL,
  PAUSE_UPDATE,
  REPLICATION_QUERY,
  RESUME_UPDATE,
  type ApplyResult,
  type FailureFields,
  type ReplicateStep,
  type ReplicationState,
  type ReplicationStatus,
} from '../contract';
import { activityClasses, type ActivityClasses } from './activities';
import { replicationDetails } from './details';
import { failureFields } from './failure';
import { isStreamGone, NO_FIGURES } from './halted';
import { Interruptible } from './interruptible';
import { type Answered } from './orders';
import { ProofRounds } from './proof-rounds';
import { ReplicationNotices } from './replication-notices';
import { runAll } from './run-all';
import { waitingForeignKeys } from './waiting-foreign-keys';

const replicationQuery = defineQuery<ReplicationStatus | undefined>(REPLICATION_QUERY);
const endSignal = defineSignal(END_SIGNAL);
/** From the database; an order is named where somebody waits for it. */
const pauseSignal = defineSignal<[Partial<Answered>]>(PAUSE_UPDATE);
const resumeSignal = defineSignal<[Partial<Answered>]>(RESUME_UPDATE);

/** Milliseconds. */
const BETWEEN_WATCHES = 60 * 60_000;

/** Histories are kept far below the server's limits: a query replays them. */
const MOST_EVENTS = 2_000;

/**
 * Applies the source's changes in segments, builds what could not be built before all tables had caught up, and proves
 * tables equal again and again, until it is told to end. A failure that no retry mends stops it until a person resumes
 * it; it never ends by itself.
 */
export async function replicate(step: ReplicateStep): Promise<ReplicationStatus | undefined> {
  const replicator = new Replicator(step, activityClasses(step.request));
  await runAll([
    () => replicator.applySegments(),
    () => replicator.buildForeignKeys(),
    () => replicator.proveTables(),
  ]);
  if (replicator.isRenewing) await continueAsNew<typeof replicate>(replicator.carriedOver);
  return replicator.status;
}

class Replicator {
  status?: ReplicationStatus;
  private isEnding = false;
  private isDueToRenew = false;
  private isPaused: boolean;
  private isCaughtUp: boolean;
  private hasForeignKeys: boolean;
  private waitingForeignKeys?: number;
  private isProving = false;
  private failure?: FailureFields;
  private state: ReplicationState;
  private readonly notices: ReplicationNotices;
  private readonly proofs: ProofRounds;
  /** What an order to pause or end interrupts. */
  private readonly interruptible = new Interruptible();

  constructor(
    private readonly step: ReplicateStep,
    private readonly activities: ActivityClasses,
  ) {
    this.status = step.status;
    this.isPaused = step.paused;
    this.isCaughtUp = step.caughtUp;
    this.hasForeignKeys = step.caughtUp;
    this.waitingForeignKeys = step.waitingForeignKeys;
    this.state = step.status?.state ?? 'CatchingUp';
    this.notices = new ReplicationNotices(step);
    this.proofs = new ProofRounds(step, activities, this.interruptible);
    setHandler(replicationQuery, () => this.status, {
      description: 'Position, lag, changes, stopped tables, drift and proofs',
    });
    setHandler(pauseSignal, ({ order }) => {
      this.notices.noteOrder(order);
      this.isPaused = true;
      this.interruptible.interrupt();
    });
    setHandler(resumeSignal, ({ order }) => {
      this.notices.noteOrder(order);
      // what was committed meanwhile is still to come
      if (this.isHalted) this.isCaughtUp = false;
      this.isPaused = false;
      this.failure = undefined;
      // the next segment begins with the ledger as it is now
      this.interruptible.interrupt();
    });
    setHandler(endSignal, () => {
      this.isEnding = true;
      this.interruptible.interrupt();
    });
  }

  /** Whoever told it to end waits for that, not for another run. */
  get isRenewing(): boolean {
    return this.isDueToRenew && !this.isEnding;
  }

  get carriedOver(): ReplicateStep {
    const { isPaused: paused, hasForeignKeys: caughtUp, waitingForeignKeys, status, notices } = this;
    return { ...this.step, caughtUp, waitingForeignKeys, paused, status, ...notices.carriedOver };
  }

  async applySegments(): Promise<void> {
    while (!this.isLeaving) {
      // a segment lasts for minutes: whoever paused or resumed it hears of that before
      await this.tell(this.notices.takeOrders());
      if (this.notices.hasOrders) continue;
      if (this.isHalted) {
        await this.watchWhileHalted();
        continue;
      }
      await this.orStop(() => (this.isCaughtUp ? this.applySegment() : this.catchUp()));
      this.isDueToRenew =
        workflowInfo().historyLength > MOST_EVENTS &&
        this.isCaughtUp &&
        this.hasForeignKeys &&
        !this.isProving &&
        !this.isHalted;
    }
    await this.tell(this.notices.takeOrders());
  }

  /** The source may lose what it keeps for us, and a person wants to know how much that is. */
  private async watchWhileHalted(): Promise<void> {
    const { failure } = this;
    if (!isStreamGone(failure)) {
      await this.orStop(() => this.watchSource());
      await this.tell();
    }
    // what keeps from watching may pass
    const isToldOtherwise = () => this.isLeaving || !this.isHalted || this.notices.hasOrders;
    if (isStreamGone(this.failure)) await condition(isToldOtherwise);
    else if (this.failure !== failure) await condition(isToldOtherwise, BETWEEN_WATCHES);
  }

  /**
   * A foreign key holds as soon as both of its tables stand at one and the same commit of the source; one whose tables
   * do not come to stand there is left to the cutover.
   */
  async buildForeignKeys(): Promise<void> {
    while (!this.hasForeignKeys) {
      await condition(() => this.isLeaving || (this.isCaughtUp && !this.isHalted));
      if (this.isLeaving) return;
      await this.orStop(async () => {
        const built = await this.interruptible.run(() => this.activities.long.buildForeignKeys(this.step));
        this.waitingForeignKeys = waitingForeignKeys(built);
        this.hasForeignKeys = true;
      });
      await this.tell();
    }
  }

  async proveTables(): Promise<void> {
    if (!this.step.request.compare) return;
    while (!this.isLeaving) {
      await condition(() => this.isLeaving || (this.hasForeignKeys && !this.isHalted));
      if (this.isLeaving) return;
      this.isProving = true;
      await this.orStop(() => this.proofs.next(() => this.isLeaving || this.isHalted));
      this.isProving = false;
      this.show();
      await condition(() => this.isLeaving, this.proofs.pause);
    }
  }

  /** Everything that was committed before the load ended, whatever its tables' copies hold of it. */
  private async catchUp(): Promise<void> {
    const marker = `caught up ${uuid4()}`;
    await this.interruptible.run(() => this.activities.short.emitMarker({ ...this.step, marker }));
    while (!this.isLeaving && !this.isHalted && !this.notices.hasOrders) {
      const { ended } = await this.applySegment(marker);
      if (ended !== 'time') {
        this.isCaughtUp = ended === 'marker';
        return;
      }
      await this.tell();
    }
  }

  private async applySegment(marker?: string): Promise<ApplyResult> {
    const { request, database } = this.step;
    const result = await this.interruptible.run(() =>
      this.activities.stream.applyChanges.executeWithOptions({ summary: 'apply changes' }, [
        {
          request,
          database,
          segment: request.timeouts.segment,
          ...(marker === undefined ? {} : { until: { marker } }),
        },
      ]),
    );
    this.status = { ...result.progress, state: this.state };
    return result;
  }

  /** Until an order interrupts it. */
  private async watchSource(): Promise<void> {
    const { request, database } = this.step;
    const progress = await this.interruptible.run(() =>
      this.activities.stream.watchSource.executeWithOptions({ summary: 'watch the source' }, [
        { request, database, known: this.status },
      ]),
    );
    this.status = { ...progress, state: this.state };
  }

  private get isLeaving(): boolean {
    return this.isEnding || this.isRenewing;
  }

  private get isHalted(): boolean {
    return this.isPaused || this.failure !== undefined;
  }

  /** What an order interrupted is gone on with when it is time; a failure stops the replication. */
  private async orStop(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isCancellation(error)) {
        if (CancellationScope.current().consideredCancelled) throw error;
        return;
      }
      this.failure = failureFields(error);
      this.interruptible.interrupt();
    }
  }

  private get presentState(): ReplicationState {
    if (this.failure !== undefined) return 'Stopped';
    if (this.isPaused) return 'Paused';
    return this.isCaughtUp && this.hasForeignKeys ? 'ReadyForCutover' : 'CatchingUp';
  }

  /**
   * The database hears of a change of state; the figures are asked for by who wants them.
   *
   * @param orders taken up; only where no segment is at hand
   */
  private async tell(orders: string[] = []): Promise<void> {
    const before = this.state;
    this.state = this.presentState;
    // before anything was applied, too, a person must hear of it
    if (this.isHalted) this.status ??= { ...NO_FIGURES, at: new Date().toISOString(), state: this.state };
    this.show();
    if (before === this.state && orders.length === 0) return;
    const { state, failure, status: progress } = this;
    await this.notices.send({ state, failure, progress, orders });
  }
  private show(): void {
    if (this.status === undefined) return;
    const { state, failure, waitingForeignKeys } = this;
    const proofsPostponed = this.proofs.postponed;
    this.status = { ...this.status, state, failure, waitingForeignKeys, proofsPostponed };
    setCurrentDetails(replicationDetails(this.status));
  }
}
