import { CancellationScope, uuid4 } from '@temporalio/workflow';
import type { ApplyResult, FenceStep } from '../contract';
import type { ActivityClasses } from './activities';
import { failed } from './failure';

/**
 * The applier of one cutover: at work before the fence is raised and until the release, so that nothing behind the fence
 * waits for its start, and what is written there meanwhile is noticed as soon as it comes.
 */
export class CutoverApplier {
  private readonly drained: string;
  private readonly released: string;
  private readonly scope = new CancellationScope({ cancellable: true });
  private readonly result: Promise<ApplyResult>;
  /** Why it ended before its last marker. */
  private failure?: Error;

  constructor(
    private readonly step: FenceStep,
    private readonly activities: ActivityClasses,
  ) {
    this.drained = this.marker('drained');
    this.released = this.marker('released');
    this.result = this.scope.run(() => this.apply());
    this.result.catch(() => undefined);
  }

  /** Runs `work` while it applies; where it ends early, that ends the work. */
  async alongside(work: () => Promise<void>): Promise<void> {
    const scope = new CancellationScope({ cancellable: true });
    void this.untimelyEnd().then((failure) => {
      if (failure === undefined) return;
      this.failure = failure;
      scope.cancel();
    });
    try {
      await scope.run(work);
    } catch (error) {
      throw scope.consideredCancelled ? (this.failure ?? error) : error;
    }
  }

  /** All that was committed when this began is on the target: while others write, nobody gets closer. */
  async untilNear(): Promise<void> {
    await this.pass(this.marker('close'));
  }

  /** Whatever was committed before the fence is on the target when its marker is met. */
  async drain(): Promise<void> {
    await this.pass(this.drained);
  }

  /** Nothing was committed since; else the fence did not hold, and the cutover is called off. */
  async lastLook(): Promise<void> {
    const { request, database, fence, attempt } = this.step;
    const { released: marker, drained: quietFrom } = this;
    await this.activities.long.lastLook({ request, database, fence, attempt, marker, quietFrom });
  }

  /** Has it end, whatever becomes of it. */
  cancel(): void {
    this.scope.cancel();
  }

  /** @returns how far it came; undefined: it failed */
  async settled(): Promise<ApplyResult | undefined> {
    return await CancellationScope.nonCancellable(() => this.result.catch(() => undefined));
  }

  private marker(what: string): string {
    return `cutover ${this.step.attempt} ${what} ${uuid4()}`;
  }

  private async pass(marker: string): Promise<void> {
    const { request, database } = this.step;
    await this.activities.long.passMarker({ request, database, marker });
  }

  private async apply(): Promise<ApplyResult> {
    const { request, database } = this.step;
    const until = { marker: this.released, quietFrom: this.drained };
    for (;;) {
      const result = await this.activities.stream.applyChanges.executeWithOptions(
        { summary: 'apply changes until the release' },
        [{ request, database, segment: request.timeouts.segment, until }],
      );
      if (result.ended === 'marker' || result.ended === 'refused') return result;
    }
  }

  private async untimelyEnd(): Promise<Error | undefined> {
    try {
      const { refused } = await this.result;
      return refused === undefined ? undefined : fenceBroken(refused, this.step.database);
    } catch (error) {
      return error as Error;
    }
  }
}

function fenceBroken({ table, commitTime }: Required<ApplyResult>['refused'], database: string): Error {
  return failed({
    code: 'FenceBroken',
    sentence: `The source took a write to ${table} at ${commitTime}, after it was fenced.`,
    remedy: 'Stop what writes there, or cut over with --fence revoke-connect.',
    side: 'source',
    database,
    object: table,
  });
}
