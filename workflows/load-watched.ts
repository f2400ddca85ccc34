import { isCancellation } from '@temporalio/workflow';
import type { Amounts } from '../contract';
import { withCompanion } from './companion';
import type { DatabaseMigration } from './database-migration';
import { failureFields } from './failure';
import { isStreamGone } from './halted';
import { loadRows } from './load-rows';

/**
 * Loads the rows while the source is watched: a load may take hours, and what is copied is worth nothing once the slot is
 * lost.
 *
 * @returns what was copied; undefined: the load was ended because the slot is lost, which the replication will find too
 */
export async function loadWatched({
  step,
  activities: { stream },
  share,
}: DatabaseMigration): Promise<Amounts | undefined> {
  const watch = async () => {
    try {
      await stream.watchSource.executeWithOptions({ summary: 'watch the source' }, [step]);
    } catch (error) {
      // whatever else keeps from watching keeps from loading, too, or passes
      if (isLost(error)) throw error;
    }
  };
  try {
    return await withCompanion(watch, () => loadRows(step, share));
  } catch (error) {
    if (isLost(error)) return undefined;
    throw error;
  }
}

function isLost(error: unknown): boolean {
  return !isCancellation(error) && isStreamGone(failureFields(error));
}
