import {
  fractionDone,
  PHASES,
  ProgressMeter,
  type MigrationClient,
  type MigrationSnapshot,
} from '../../client';
import { killWorker, startWorker, type Engine, type EngineOptions } from '../engine';

/** The worker dies once so much of the rows is copied. */
const MOMENT = 0.25;
/** And again once so many transactions are applied. */
const SOME = 100;

/** Kills the worker in the middle of the load and in the middle of the replication, and starts another each time. */
export class WorkerCrashes {
  /** The moments that another worker has followed. */
  private readonly survived = new Set<string>();
  private readonly meter = new ProgressMeter();
  private readonly told = new Set<string>();
  private repair: Promise<void> = Promise.resolve();

  constructor(
    private readonly engine: Engine,
    private readonly client: MigrationClient,
    private readonly pool: string,
    private readonly options: EngineOptions,
  ) {}

  /** To be told of every snapshot. */
  onSnapshot(snapshot: MigrationSnapshot): void {
    if (isMiddleOfLoad(snapshot, this.meter)) this.crashOnce('load');
    if (isReplicating(snapshot)) this.crashOnce('replication');
  }

  get count(): number {
    return this.survived.size;
  }

  /** The last of them is over. */
  get areOver(): boolean {
    return this.survived.has('replication');
  }

  /** @throws FlexliftError NoWorker */
  async finished(): Promise<void> {
    await this.repair;
  }

  private crashOnce(moment: string): void {
    if (this.told.has(moment)) return;
    this.told.add(moment);
    this.repair = this.repair.then(() => this.crash(moment));
    // looked at in `finished`; until then a failure must not end the process
    this.repair.catch(() => undefined);
  }

  private async crash(moment: string): Promise<void> {
    const { output } = this.options;
    await killWorker(this.engine, this.pool);
    output.say(`The worker was killed with SIGKILL, in the middle of the ${moment}; another one starts.`);
    await startWorker(this.engine, this.client, this.pool, this.options);
    this.survived.add(moment);
  }
}

/** All databases have caught up, and changes that came since are being applied. */
function isReplicating({ status }: MigrationSnapshot): boolean {
  const databases = status?.databases ?? [];
  const applied = databases.some(({ replication }) => (replication?.changes.transactions ?? 0) > SOME);
  return databases.length > 0 && databases.every(({ phase }) => phase === 'Replicate') && applied;
}

/** Every database has come to its load, copies are under way, and a good part of their rows is in. */
function isMiddleOfLoad(snapshot: MigrationSnapshot, meter: ProgressMeter): boolean {
  const figures = meter.measure(snapshot);
  const loading = figures.filter(({ phase }) => phase === 'Load');
  const early = figures.some(({ phase }) => PHASES.indexOf(phase) < PHASES.indexOf('Load'));
  const copying = snapshot.activities.some(({ bytes, state }) => state === 'running' && bytes > 0);
  return copying && !early && loading.some((progress) => isBetween(fractionDone(progress), MOMENT, 1));
}

function isBetween(fraction: number, least: number, below: number): boolean {
  return fraction >= least && fraction < below;
}
