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

/** Kills the worker once, in the middle of the load, and starts another. */
export class WorkerCrash {
  private readonly meter = new ProgressMeter();
  private repair: Promise<void> | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly client: MigrationClient,
    private readonly pool: string,
    private readonly options: EngineOptions,
  ) {}

  /** To be told of every snapshot. */
  onSnapshot(snapshot: MigrationSnapshot): void {
    if (this.repair !== undefined || !isMiddleOfLoad(snapshot, this.meter)) return;
    this.repair = this.crash();
    // looked at in `finished`; until then a failure must not end the process
    this.repair.catch(() => undefined);
  }

  /**
   * Waits until another worker runs; `false`: there was no middle, the load was over too soon.
   *
   * @throws FlexliftError NoWorker
   */
  async finished(): Promise<boolean> {
    await this.repair;
    return this.repair !== undefined;
  }

  private async crash(): Promise<void> {
    const { output } = this.options;
    await killWorker(this.engine, this.pool);
    output.say('The worker was killed with SIGKILL, in the middle of the load; another one starts.');
    await startWorker(this.engine, this.client, this.pool, this.options);
  }
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
