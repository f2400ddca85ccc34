import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import { FAILURE_CLASSES } from '../contract';
import { failureFields } from './failure';

/** Work that an order breaks off: it ends as canceled, and whatever is begun afterwards is not touched. */
export class Interruptible {
  private scope = new CancellationScope({ cancellable: true });

  interrupt(): void {
    this.scope.cancel();
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.scope.consideredCancelled) this.scope = new CancellationScope({ cancellable: true });
    // whoever begins something else has a new one
    const { scope } = this;
    try {
      return await scope.run(work);
    } catch (error) {
      // a worker that is cut off answers an order by its silence alone
      const isSilence = scope.consideredCancelled && !isCancellation(error) && !isPermanent(error);
      throw isSilence ? new CancelledFailure('interrupted by an order', [], error as Error) : error;
    }
  }
}

function isPermanent(error: unknown): boolean {
  return FAILURE_CLASSES[failureFields(error).code] === 'permanent';
}
