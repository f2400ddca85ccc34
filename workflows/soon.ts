import { CancellationScope, sleep } from '@temporalio/workflow';

/** Milliseconds. */
const SOON = 1_000;

/** Does something within a second after it is asked for, once for all that ask meanwhile, whatever scope they are in. */
export class Soon {
  private isAsked = false;
  private isWaiting = false;

  /** @param work what it throws is nobody's concern */
  constructor(private readonly work: () => Promise<void>) {}

  ask(): void {
    this.isAsked = true;
    if (this.isWaiting) return;
    this.isWaiting = true;
    CancellationScope.nonCancellable(() => this.wait()).catch(() => undefined);
  }

  /** It is being done, by whomever. */
  settle(): void {
    this.isAsked = false;
  }

  private async wait(): Promise<void> {
    await sleep(SOON);
    this.isWaiting = false;
    if (this.isAsked) await this.work();
  }
}
