import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { Amounts, DatabaseStep } from '../contract';
import type { ActivityClasses } from './activities';
import { failureFields } from './failure';
import { isStreamGone } from './halted';
import { loadRows } from './load-rows';

/**
 * Loads the rows while the source is watched: a load may take hours, and what is copied is worth nothing once the slot is
 * lost.
 *
 * @returns what was copied; undefined: the load was ended because the slot is lost, which the replication will find too
 */
export async function loadWatched(
  step: DatabaseStep,
  { stream }: ActivityClasses,
): Promise<Amounts | undefined> {
  const loading = new CancellationScope({ cancellable: true });
  const watching = new CancellationScope({ cancellable: true });
  let isLost = false;
  const watch = watching.run(async () => {
    try {
      await stream.watchSource.executeWithOptions({ summary: 'watch the source' }, [step]);
    } catch (error) {
      // whatever else keeps from watching keeps from loading, too, or passes
      isLost = !isCancellation(error) && isStreamGone(failureFields(error));
      if (isLost) loading.cancel();
    }
  });
  try {
    return await loading.run(() => loadRows(step));
  } catch (error) {
    if (isLost && isCancellation(error)) return undefined;
    throw error;
  } finally {
    watching.cancel();
    await CancellationScope.nonCancellable(() => watch);
  }
}
