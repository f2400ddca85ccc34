import { CancellationScope, isCancellation } from '@temporalio/workflow';

/**
 * Runs `work` while a companion is at it, which is let go when `work` ends: a keeper that holds locks and a snapshot, a
 * watch of the source. One that dies is started again by the engine (what a keeper's snapshot had covered is reconciled
 * in the ledger); one that fails for good (a right is missing, the slot is lost) ends the work with its failure.
 */
export async function withCompanion<T>(
  companion: () => Promise<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  const companionScope = new CancellationScope({ cancellable: true });
  const workScope = new CancellationScope({ cancellable: true });
  let failure: unknown;

  const companionship = companionScope.run(async () => {
    try {
      await companion();
    } catch (error) {
      if (!isCancellation(error)) failure = error;
      workScope.cancel();
    }
  });
  try {
    return await workScope.run(work);
  } catch (error) {
    throw failure ?? error;
  } finally {
    companionScope.cancel();
    await CancellationScope.nonCancellable(() => companionship);
  }
}
