import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DatabaseStep } from '../contract';
import type { ActivityClasses } from './activities';

/**
 * Runs `work` while a keeper holds the locks and the snapshot of the database; the keeper is let go when `work` ends.
 * A keeper that dies is started again by the engine, and what its snapshot had covered is reconciled in the ledger; a
 * keeper that fails for good (a right is missing) fails the work.
 */
export async function withSnapshotHeld<T>(
  activities: ActivityClasses,
  step: DatabaseStep,
  work: () => Promise<T>,
): Promise<T> {
  const keeperScope = new CancellationScope({ cancellable: true });
  const workScope = new CancellationScope({ cancellable: true });
  let keeperFailure: unknown;

  const keeper = keeperScope.run(async () => {
    try {
      await activities.stream.holdSnapshot.executeWithOptions({ summary: 'keep locks and snapshot' }, [step]);
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
