import type { Client } from 'pg';
import type { ReplicationProgress } from '../../../contract';
import { withLedger } from '../../ledger';
import { TargetTables } from '../apply';
import type { Lsn } from '../lsn';
import type { ChangeStream } from '../pgoutput';
import type { Applied, ApplyArguments } from './apply-changes';
import { BatchPace } from './batch-pace';
import { applyBatch, type Batch, type BatchEnd, type BatchWriter } from './batch';
import { advanceStream, followTimeline, NO_CHANGES, readStream, type StreamRow } from './ledger-position';
import { refuseUnloadedTables } from './loaded-tables';
import { isMarkerMet, isQuiet } from './met-markers';
import { endProofRequests, ProofHold } from './proof-hold';
import { firstChange } from './refused-change';
import { ReplicationMeter } from './replication-meter';
import { withSourceStream } from './source-stream';
import { applySpooled, tablesCopiedAnew } from './spool';
import { streamTables, tablesOverview, type StreamTable } from './table-states';
import type { TransactionBuffer, TransactionPiece } from './transaction-buffer';

/** Milliseconds. */
const BETWEEN_OVERVIEWS = 1_000;
const BETWEEN_ADVANCES = 10_000;
const LONGEST_WAIT = 200;

/** From one start of the stream to its end: the marker, the time, a stop, or a failure. */
export class ApplierRun {
  /** Where the ledger stands. */
  position: Lsn;

  private readonly meter: ReplicationMeter;
  private readonly writer: BatchWriter;
  private readonly hold: ProofHold;
  private nextOverview = 0;
  private lastAdvance = performance.now();
  private writing?: { commitTime: number };
  /** No change may come any more. */
  private isQuiet = false;
  private drift: string;

  private constructor(
    private readonly args: ApplyArguments,
    private readonly target: Client,
    private readonly deadline: number,
    private readonly stream: StreamRow,
    private readonly tables: ReadonlyMap<number, StreamTable>,
  ) {
    const { identity, signal, database, target: endpoint, proofLimits: limits } = args;
    this.position = stream.lsn;
    this.meter = new ReplicationMeter(stream);
    const targetTables = new TargetTables(target);
    this.writer = { target, identity, tables, targetTables, replicaRole: stream.replicaRole, signal };
    const isOver = () => this.end !== undefined;
    this.hold = new ProofHold({ endpoint, database, target, isOver, limits, signal });
    this.drift = JSON.stringify(stream.drift);
  }

  static async prepare(args: ApplyArguments, target: Client, deadline: number): Promise<ApplierRun> {
    const stream = await readStream(target);
    if (stream.replicaRole) await target.query('SET session_replication_role = replica');
    return new ApplierRun(args, target, deadline, stream, await streamTables(target));
  }

  async toEnd(): Promise<Applied> {
    const { args, target, meter } = this;
    meter.overview = await tablesOverview(target);
    if (args.until !== undefined) {
      if (await isMarkerMet(target, args.until)) return this.applied('marker');
      this.isQuiet = await isQuiet(target, args.until);
      await endProofRequests(target);
    }
    const timer = setInterval(() => args.onProgress?.(this.progress), 1_000);
    try {
      const opened = { ...args, stream: this.stream, tables: this.tables, meter };
      return await withSourceStream(opened, (source, buffer) => this.applyAll(source, buffer));
    } finally {
      clearInterval(timer);
      await this.hold.close();
    }
  }

  private async applyAll(source: ChangeStream, buffer: TransactionBuffer): Promise<Applied> {
    const { args, hold, stream } = this;
    const { until } = args;
    await refuseUnloadedTables(this.target);
    const pace = new BatchPace(buffer, source);
    await followTimeline(this.target, args.identity, { stream, timeline: source.timeline });
    this.meter.oldestCommitTime = () => this.writing?.commitTime ?? buffer.oldestCommitTime;
    args.stop.addEventListener('abort', buffer.wake);
    try {
      for (;;) {
        args.signal.throwIfAborted();
        if (this.end !== undefined) return await this.endBetweenBatches(this.end, source, buffer);
        await this.atBoundary();
        // a proof's hold may have lasted until the end: nothing is applied under it
        if (this.end !== undefined) continue;
        await pace.gather(() => this.end !== undefined, args.signal);
        const awaited = this.isQuiet ? until?.marker : (until?.quietFrom ?? until?.marker);
        const bounds = { before: hold.aim, marker: awaited };
        const pieces = buffer.take(bounds);
        if (pieces.length === 0) {
          await this.withoutWork(source, buffer);
          continue;
        }
        const refused = this.isQuiet ? firstChange(pieces, this.tables) : undefined;
        if (refused !== undefined) return { ...this.applied('refused'), refused };
        const end = await this.apply(pieces, source, {
          next: () => this.following(buffer, bounds),
          mayLinger: () => this.mayLinger(pace),
        });
        pace.wasWritten(pieces, end);
        if (until === undefined) continue;
        const { markers } = end;
        if (markers.includes(until.marker)) return this.applied('marker');
        if (until.quietFrom !== undefined && markers.includes(until.quietFrom)) this.isQuiet = true;
      }
    } finally {
      args.stop.removeEventListener('abort', buffer.wake);
    }
  }

  private get end(): 'stopped' | 'time' | undefined {
    if (this.args.stop.aborted) return 'stopped';
    return performance.now() >= this.deadline ? 'time' : undefined;
  }

  private get progress(): ReplicationProgress {
    return this.meter.progress();
  }

  private applied(ended: Applied['ended']): Applied {
    return { ended, progress: this.progress };
  }

  private async apply(
    pieces: TransactionPiece[],
    source: ChangeStream,
    rest: Pick<Batch, 'next' | 'mayLinger'>,
  ): Promise<BatchEnd> {
    this.writing = { commitTime: pieces[0]?.commitTime ?? 0 };
    const batch = {
      ...rest,
      from: this.position,
      first: pieces,
      isQuiet: this.isQuiet,
      quietFrom: this.args.until?.quietFrom,
    };
    const end = await applyBatch(this.writer, batch);
    this.writing = undefined;
    if (end.isDurable) this.confirmDurable(end.lsn, source);
    else this.position = end.lsn;
    this.meter.committed(end.lsn, end.counts);
    return end;
  }

  /** Only what the ledger holds durably is ever confirmed. */
  private confirmDurable(lsn: Lsn, source: ChangeStream): void {
    this.position = lsn;
    this.lastAdvance = performance.now();
    source.confirm(lsn);
  }

  /** None does whose end somebody waits for, nor the last one. */
  private mayLinger(pace: BatchPace): boolean {
    const isAwaited = this.args.until !== undefined || this.hold.aim !== undefined;
    return !isAwaited && this.end === undefined && pace.mayLinger;
  }

  private async following(
    buffer: TransactionBuffer,
    bounds: { before?: Lsn; marker?: string },
  ): Promise<TransactionPiece[]> {
    for (;;) {
      this.args.signal.throwIfAborted();
      const pieces = buffer.take(bounds);
      if (pieces.length > 0) return pieces;
      await buffer.arrival(LONGEST_WAIT);
    }
  }

  private async atBoundary(): Promise<void> {
    const { args, hold, meter, target } = this;
    if (args.until === undefined) await hold.look(this.position);
    if (performance.now() < this.nextOverview) return;
    await this.keepDrift();
    meter.overview = await tablesOverview(target);
    if (meter.overview.isRecopying && !this.isQuiet) await this.followCopiesMadeAnew();
    this.nextOverview = performance.now() + BETWEEN_OVERVIEWS;
  }

  /** No batch comes between: the spool of a busy table would grow as fast as it shrinks. */
  private async followCopiesMadeAnew(): Promise<void> {
    for (const oid of await tablesCopiedAnew(this.target)) {
      while (this.end === undefined) {
        const counts = await applySpooled(this.writer, oid, this.position);
        if (counts === undefined) break;
        this.meter.committed(this.position, counts);
      }
    }
  }

  private async keepDrift(): Promise<void> {
    const { target, meter } = this;
    const drift = JSON.stringify(meter.drift);
    if (drift === this.drift) return;
    await withLedger(target, this.args.identity, () =>
      target.query('UPDATE flexlift.stream SET drift = $1', [drift]),
    );
    this.drift = drift;
  }

  private async withoutWork(source: ChangeStream, buffer: TransactionBuffer): Promise<void> {
    const { hold, meter } = this;
    if (hold.aim !== undefined) {
      if (buffer.hasPassed(hold.aim)) return await hold.giveSnapshot();
      source.askPosition();
    } else {
      if (meter.isBehind) source.askPosition();
      const isDue = performance.now() - this.lastAdvance >= BETWEEN_ADVANCES;
      if (isDue) await this.advance(source, buffer);
    }
    if (buffer.idlePosition !== undefined) meter.reach(buffer.idlePosition);
    await buffer.arrival(LONGEST_WAIT);
  }

  /** Moves the ledger over what holds no change of ours, so that the source can let go of its WAL. */
  private async advance(source: ChangeStream, buffer: TransactionBuffer): Promise<void> {
    const { target, position } = this;
    const to = buffer.idlePosition;
    if (to === undefined || to <= position) return;
    await withLedger(target, this.args.identity, () =>
      advanceStream(target, { from: position, to, counts: NO_CHANGES }),
    );
    this.confirmDurable(to, source);
    this.meter.committed(to, NO_CHANGES);
  }

  private async endBetweenBatches(
    ended: 'stopped' | 'time',
    source: ChangeStream,
    buffer: TransactionBuffer,
  ): Promise<Applied> {
    if (this.hold.aim === undefined) await this.advance(source, buffer);
    return this.applied(ended);
  }
}
