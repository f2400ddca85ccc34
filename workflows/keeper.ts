import { CancellationScope, isCancellation } from '@temporalio/workflow';

/**
 * Runs `work` while a keeper holds locks and a snapshot; the keeper is let go when `work` ends. A keeper that dies is
 * started again by the engine, and what its snapshot had covered is reconciled in the ledger; a keeper that fails for
 * good (a right is missing) fails the work.
 */
export async function withSnapshotHeld<T>(keep: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  const keeperScope = new CancellationScope({ cancellable: true });
  const workScope = new CancellationScope({ cancellable: true });
  let keeperFailure: unknown;

  const keeper = keeperScope.run(async () => {
    try {
      await keep();
    } catch (error) {
      if (!isCancellation(error)) keeperFailure = error;
      workScope.cancel();
    }
  });
  try {
    return await workScope.run(work);
  } catch (error) {
    throw keeperFailure ?? error;
  } finally {
    keeperScope.cancel();
    await CancellationScope.nonCancellable(() => keeper);
  }
}
