import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  patched,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import {
  DATABASE_SIGNAL,
  type AnalyzeResult,
  type CutoverReport,
  type DatabaseStatus,
  type Difference,
  type FenceMode,
  type Phase,
  type ReleaseResult,
  type ReplicationNotice,
  type ReplicationProgress,
} from '../contract';
import { databaseDetails } from './details';
import { listed, placesOf, remedyOf } from './differences';
import { failed, failureFields } from './failure';
import { NO_FIGURES } from './halted';
import { numberAfter } from './notice-number';
import { Soon } from './soon';

/** Before, each phase and each step of a cutover was told at once. */
const TELL_SOON = 'tell-soon';
/** Their beginning and their end decide what can be asked for, and how progress and outage are shown. */
const TOLD_AT_ONCE: Phase[] = ['Load', 'Replicate', 'Fence'];

/**
 * Keeps the status of one database and tells it to the query, the Web UI and the migration above. That one hears of short
 * phases together: each signal is four events of its history, which is one for all databases, and delays what comes next.
 */
export class DatabaseLog {
  readonly status: DatabaseStatus;
  private phaseStarted = Date.now();
  /** To pause or to resume. */
  private readonly ordersTaken = new Set<string>();
  /** The number of the last status that was told. */
  private told = 0;
  private readonly telling = new Soon(() => this.tell());
  /** The number of the replication's last notice. */
  replicationTold = 0;

  constructor(database: string) {
    this.status = {
      database,
      state: 'InProgress',
      phase: 'Queued',
      copied: { tables: 0, rows: 0, bytes: 0 },
      seconds: {},
      differences: [],
      startedAt: new Date().toISOString(),
    };
  }

  /** Runs one phase: notes its start, its seconds and tells both. */
  async phase<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    if (patched(TELL_SOON)) this.passTo(phase);
    else await this.enter(phase);
    const result = await work();
    this.status.seconds[phase] = (this.status.seconds[phase] ?? 0) + secondsSince(this.phaseStarted);
    return result;
  }

  /** Returns when the migration has been told. */
  async enter(phase: Phase): Promise<void> {
    this.begin(phase);
    await this.tell();
  }

  private begin(phase: Phase): void {
    this.status.phase = phase;
    this.phaseStarted = Date.now();
  }

  /** Waits for nobody. */
  private passTo(phase: Phase): void {
    const isUrgent = [this.status.phase, phase].some((each) => TOLD_AT_ONCE.includes(each));
    this.begin(phase);
    if (isUrgent) this.tell().catch(() => undefined);
    else this.tellSoon();
  }

  async end(change: Partial<DatabaseStatus>): Promise<DatabaseStatus> {
    Object.assign(this.status, change, { endedAt: new Date().toISOString() });
    await this.tell();
    return this.status;
  }

  noteAnalyze({ left }: AnalyzeResult): void {
    this.status.notice = left;
  }

  /** What was found so far: a failure behind it hides nothing. */
  noteDifferences(differences: Difference[]): void {
    this.status.differences = listed(differences);
  }

  noteForeignKeys(waitingForeignKeys: number | undefined): void {
    const { replication } = this.status;
    if (replication !== undefined) this.status.replication = { ...replication, waitingForeignKeys };
  }

  noteRelease(released: ReleaseResult): void {
    Object.assign(this.status, released);
    this.noteForeignKeys(undefined);
  }

  noteReplication({ state, failure, progress, orders = [], told }: ReplicationNotice): void {
    for (const order of orders) this.ordersTaken.add(order);
    if (told < this.replicationTold) return;
    this.replicationTold = told;
    const figures = progress ?? this.status.replication;
    if (figures === undefined) return;
    this.status.replication = { ...figures, state, failure };
    this.tell().catch(() => undefined);
  }

  /** All begins anew: what was said of the replication holds no more. */
  forgetReplication(): void {
    this.status.replication = { ...NO_FIGURES, at: new Date().toISOString(), state: 'CatchingUp' };
  }

  /** What the applier said last; its state is told by {@link noteReplication}. */
  noteFigures(figures: ReplicationProgress | undefined): void {
    const { replication } = this.status;
    if (replication === undefined || figures === undefined) return;
    this.status.replication = { ...replication, ...figures };
  }

  /** No changes are applied: by request, or by a failure. */
  get isHalted(): boolean {
    const state = this.status.replication?.state;
    return state === 'Paused' || state === 'Stopped';
  }

  /**
   * Until the replication has taken the order up and the migration knows what it led to. A cancellation does not end the
   * wait: it ends what the log is of.
   */
  async taken(order: string): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.ordersTaken.delete(order)));
    await this.tell();
  }

  /** Something that a person asked for failed; what goes on anyway goes on. */
  async orReport(work: () => Promise<unknown>): Promise<void> {
    try {
      this.status.notice = undefined;
      await work();
    } catch (error) {
      this.status.notice = failureFields(error);
    }
    await this.tell();
  }

  async beginCutover(fence: FenceMode): Promise<void> {
    const attempt = (this.status.cutover?.attempt ?? 0) + 1;
    this.status.cutover = {
      attempt,
      state: 'Running',
      fence,
      startedAt: new Date().toISOString(),
      underWay: [],
      seconds: {},
    };
    await this.tell();
  }

  get cutoverAttempt(): number {
    return this.status.cutover?.attempt ?? 0;
  }

  set cutoverAttempt(attempt: number) {
    if (this.status.cutover !== undefined) this.status.cutover.attempt = attempt;
  }

  /** Several may be under way at a time: the phase is the last one that has begun and not ended. Waits for nobody. */
  async cutoverStep<T>(phase: Phase, work: () => Promise<T>): Promise<T> {
    const started = Date.now();
    const { cutover } = this.status;
    if (cutover === undefined) throw new Error(`${phase} without a cutover`);
    if (phase === 'Fence') cutover.fencedAt = new Date().toISOString();
    const underWay = (cutover.underWay ??= []);
    underWay.push(phase);
    this.showSteps(underWay);
    try {
      const result = await work();
      cutover.seconds[phase] = (cutover.seconds[phase] ?? 0) + secondsSince(started);
      return result;
    } finally {
      underWay.splice(underWay.indexOf(phase), 1);
      this.showSteps(underWay);
    }
  }

  private showSteps(underWay: Phase[]): void {
    const phase = underWay.at(-1);
    if (phase === undefined) return;
    // a cutover that began with earlier code told no more than its phase
    if (phase === this.status.phase && !patched('steps-under-way')) return;
    if (patched(TELL_SOON)) return this.passTo(phase);
    this.status.phase = phase;
    this.tell().catch(() => undefined);
  }

  /** @throws ApplicationFailure DifferenceFound where there are any */
  refuseDifferences(differences: Difference[]): void {
    this.noteDifferences(differences);
    const [first] = differences;
    if (first === undefined) return;
    throw failed({
      code: 'DifferenceFound',
      sentence: `The target differs from the source in ${placesOf(differences)}, first in ${first.object}: ${first.message}`,
      remedy: remedyOf(first),
      object: first.object,
    });
  }

  /** From here on the application can write again: on the target, or on the source. */
  noteEndOfOutage(): void {
    const { cutover } = this.status;
    if (cutover?.fencedAt === undefined || cutover.fencedSeconds !== undefined) return;
    cutover.fencedSeconds = secondsSince(Date.parse(cutover.fencedAt));
  }

  async endCutover(end: Pick<CutoverReport, 'state' | 'failure'>): Promise<void> {
    this.noteEndOfOutage();
    Object.assign(this.status.cutover ?? {}, end, { endedAt: new Date().toISOString() });
    await this.tell();
  }

  private tellSoon(): void {
    this.show();
    this.telling.ask();
  }

  private show(): void {
    setCurrentDetails(databaseDetails(this.status));
  }

  /** A migration that takes no more signals hears of it by the result: a release is not undone for that. */
  async tell(): Promise<void> {
    this.show();
    this.telling.settle();
    const { parent } = workflowInfo();
    if (parent === undefined) return;
    // the tables travel once, in the result; a signal carries the outline
    const { tables, ...outline } = this.status;
    this.told = numberAfter(this.told);
    const migration = getExternalWorkflowHandle(parent.workflowId);
    try {
      await migration.signal<[DatabaseStatus, number]>(DATABASE_SIGNAL, outline, this.told);
    } catch (error) {
      if (isCancellation(error)) throw error;
    }
  }
}

function secondsSince(milliseconds: number): number {
  return (Date.now() - milliseconds) / 1000;
}
