import { defineQuery, isCancellation, patched, setHandler } from '@temporalio/workflow';
import {
  STATUS_QUERY,
  type DatabaseStatus,
  type DatabaseStep,
  type Difference,
  type ThrottleShare,
} from '../contract';
import { activityClasses } from './activities';
import { DatabaseLog } from './database-log';
import type { DatabaseMigration } from './database-migration';
import { listed, placesOf } from './differences';
import { failureFields } from './failure';
import { finishEntries } from './finish-entries';
import { withCompanion } from './companion';
import { Limiter } from './limiter';
import { loadRows } from './load-rows';
import { migrateOnline } from './online-database';
import { runAll } from './run-all';
import { throttleSignal, wholeShare } from './source-throttle';

const databaseStatusQuery = defineQuery<DatabaseStatus>(STATUS_QUERY);

/**
 * The migration of one database: its target is created, then all goes as its mode has it.
 *
 * @param firstShare of what the source may be asked for; others come by signal. Absent: of a migration without bounds
 */
export async function database(
  step: DatabaseStep,
  firstShare: ThrottleShare = wholeShare(step),
): Promise<DatabaseStatus> {
  const log = new DatabaseLog(step.database);
  setHandler(databaseStatusQuery, () => log.status, {
    description: 'Phase, amounts and differences of this database',
  });
  let share = firstShare;
  setHandler(throttleSignal, (newShare) => void (share = newShare));
  const activities = activityClasses(step.request);
  try {
    await log.phase('CreateDatabase', () => activities.short.createTargetDatabase(step));
    const migrate = step.request.mode === 'Online' ? migrateOnline : migrateOffline;
    return await migrate({ step, log, activities, share: () => share });
  } catch (error) {
    if (isCancellation(error)) throw error;
    return await log.end({ state: 'Failed', failure: failureFields(error) });
  }
}

/** The offline migration of one database whose target exists, from top to bottom. */
async function migrateOffline(migration: DatabaseMigration): Promise<DatabaseStatus> {
  const { step, log, activities, share } = migration;
  const { long } = activities;

  const keep = () =>
    activities.stream.holdSnapshot.executeWithOptions({ summary: 'keep locks and snapshot' }, [step]);
  const differences = await withCompanion(keep, async (letGo) => {
    await log.phase('DumpSchema', () => long.dumpSchema(step));
    await log.phase('PreData', () => long.runPreData(step));
    log.status.copied = await log.phase('Load', () => loadRows(step, share));
    const gone = letGo();
    // migrations under way wait for its end here
    if (!patched('finish-while-keeper-ends')) await gone;
    return await finish(migration);
  });
  if (differences.length > 0) return await endWithDifferences(log, differences);

  const released = await log.phase('Release', () => long.release({ ...step, differences }));
  return await log.end({
    ...released,
    phase: 'Done',
    state: step.request.compare ? 'Succeeded' : 'SucceededUnverified',
  });
}

/** @returns the differences; nothing is released before all is equal */
async function finish(migration: DatabaseMigration): Promise<Difference[]> {
  const { step, log, activities } = migration;
  const { long } = activities;
  const { compare } = step.request;
  await log.phase('PostData', () => long.runPostData({ ...step, until: 'foreign-keys' }));
  await log.phase('Sequences', () => long.copySequences(step));
  log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
  const inRows = compare ? await log.phase('Compare', () => compareRows(migration)) : [];
  log.noteDifferences(inRows);
  const refreshed = await finishEntries({
    execute: (until) => log.phase('PostData', () => long.runPostData({ ...step, until })),
    refresh: (which) =>
      log.phase('MaterializedViews', () => long.refreshMaterializedViews({ ...step, ...which })),
  });
  // materialized views had no rows before; of earlier code it was made anew in any case
  if (refreshed?.filled !== 0 || !patched('analyze-what-is-filled'))
    log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
  if (!compare) return [];
  const { differences, notCompared } = await log.phase('CompareCatalog', () => long.compareCatalog(step));
  log.status.notCompared = notCompared;
  return [...inRows, ...differences];
}

async function compareRows({ step, activities, share }: DatabaseMigration): Promise<Difference[]> {
  const { short, bulk } = activities;
  const { batches } = await short.planCompare(step);
  const slots = new Limiter(() => share().copiesAtOnce);
  const found: Difference[] = [];
  await runAll(
    batches.map(({ summary, tableOids }) => async () => {
      const argument = { ...step, tableOids };
      const result = await slots.run(() => bulk.compareTables.executeWithOptions({ summary }, [argument]));
      found.push(...result.differences);
    }),
  );
  return found;
}

async function endWithDifferences(log: DatabaseLog, differences: Difference[]): Promise<DatabaseStatus> {
  const named = differences
    .slice(0, 3)
    .map((difference) => difference.object)
    .join(', ');
  return await log.end({
    state: 'Failed',
    differences: listed(differences),
    failure: {
      code: 'DifferenceFound',
      sentence: `The target differs from the source in ${placesOf(differences)}: ${named}.`,
      remedy: 'Stop all writers on the source, and start the migration again with --overwrite.',
      database: log.status.database,
    },
  });
}
