import { CancellationScope, isCancellation } from '@temporalio/workflow';

/**
 * Runs `work` while a companion is at it, which is let go when `work` ends: a keeper that holds locks and a snapshot, a
 * watch of the source. One that dies is started again by the engine (what a keeper's snapshot had covered is reconciled
 * in the ledger); one that fails for good (a right is missing, the slot is lost) ends the work with its failure.
 *
 * @param work is given `letGo`, for a companion that is of no use any more while there is work left: what becomes of it
 * then is nobody's concern. It resolves when the companion has ended, which takes up to a second, for an activity hears
 * of its cancellation with its next heartbeat.
 */
export async function withCompanion<T>(
  companion: () => Promise<unknown>,
  work: (letGo: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const companionScope = new CancellationScope({ cancellable: true });
  const workScope = new CancellationScope({ cancellable: true });
  let failure: unknown;
  let isNeeded = true;

  const companionship = companionScope.run(async () => {
    try {
      await companion();
    } catch (error) {
      if (!isNeeded) return;
      if (!isCancellation(error)) failure = error;
      workScope.cancel();
    }
  });
  const letGo = async () => {
    isNeeded = false;
    companionScope.cancel();
    await CancellationScope.nonCancellable(() => companionship);
  };
  try {
    return await workScope.run(() => work(letGo));
  } catch (error) {
    throw failure ?? error;
  } finally {
    await letGo();
  }
}
