import { defineQuery, isCancellation, patched, setHandler } from '@temporalio/workflow';
import { STATUS_QUERY, type DatabaseStatus, type DatabaseStep, type Difference } from '../contract';
import { activityClasses, type ActivityClasses } from './activities';
import { DatabaseLog } from './database-log';
import { listed, placesOf } from './differences';
import { failureFields } from './failure';
import { withCompanion } from './companion';
import { Limiter } from './limiter';
import { loadRows } from './load-rows';
import { migrateOnline } from './online-database';
import { runAll } from './run-all';

/** What a history says where rows are compared before privileges and row security come. */
const PRIVILEGES_AFTER_ROWS = 'privileges-after-rows';

export const databaseStatusQuery = defineQuery<DatabaseStatus>(STATUS_QUERY);

/** The migration of one database: its target is created, then all goes as its mode has it. */
export async function database(step: DatabaseStep): Promise<DatabaseStatus> {
  const log = new DatabaseLog(step.database);
  setHandler(databaseStatusQuery, () => log.status, {
    description: 'Phase, amounts and differences of this database',
  });
  const activities = activityClasses(step.request);
  try {
    await log.phase('CreateDatabase', () => activities.short.createTargetDatabase(step));
    const migrate = step.request.mode === 'Online' ? migrateOnline : migrateOffline;
    return await migrate(step, log, activities);
  } catch (error) {
    if (isCancellation(error)) throw error;
    return await log.end({ state: 'Failed', failure: failureFields(error) });
  }
}

/** The offline migration of one database whose target exists, from top to bottom. */
async function migrateOffline(
  step: DatabaseStep,
  log: DatabaseLog,
  activities: ActivityClasses,
): Promise<DatabaseStatus> {
  const { long } = activities;

  const keep = () =>
    activities.stream.holdSnapshot.executeWithOptions({ summary: 'keep locks and snapshot' }, [step]);
  await withCompanion(keep, async () => {
    await log.phase('DumpSchema', () => long.dumpSchema(step));
    await log.phase('PreData', () => long.runPreData(step));
    log.status.copied = await log.phase('Load', () => loadRows(step));
  });

  const differences = patched(PRIVILEGES_AFTER_ROWS)
    ? await finish(step, log, activities)
    : await finishBeforePatch(step, log, activities);
  if (differences.length > 0) return await endWithDifferences(log, differences);

  const released = await log.phase('Release', () => long.release({ ...step, differences }));
  return await log.end({
    ...released,
    phase: 'Done',
    state: step.request.compare ? 'Succeeded' : 'SucceededUnverified',
  });
}

/**
 * All that comes after the rows. What hides rows, takes rights away or fires on our own work comes after the work that
 * it would disturb.
 *
 * @returns the differences; nothing is released before all is equal
 */
async function finish(
  step: DatabaseStep,
  log: DatabaseLog,
  activities: ActivityClasses,
): Promise<Difference[]> {
  const { long } = activities;
  const { compare } = step.request;
  await log.phase('PostData', () => long.runPostData({ ...step, until: 'rows' }));
  await log.phase('Sequences', () => long.copySequences(step));
  log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
  const inRows = compare ? await log.phase('Compare', () => compareRows(step, activities)) : [];

  await log.phase('PostData', () => long.runPostData({ ...step, until: 'privileges' }));
  await log.phase('MaterializedViews', () =>
    long.refreshMaterializedViews({ ...step, beforeRowSecurity: true }),
  );
  await log.phase('PostData', () => long.runPostData({ ...step, until: 'row-security' }));
  await log.phase('MaterializedViews', () => long.refreshMaterializedViews(step));
  await log.phase('PostData', () => long.runPostData(step));
  // of materialized views, which had no rows before
  log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
  if (!compare) return [];
  const { differences } = await log.phase('CompareCatalog', () => long.compareCatalog(step));
  return [...inRows, ...differences];
}

/** The order of migrations that an earlier version began. */
async function finishBeforePatch(
  step: DatabaseStep,
  log: DatabaseLog,
  activities: ActivityClasses,
): Promise<Difference[]> {
  const { long } = activities;
  await log.phase('PostData', () => long.runPostData(step));
  await log.phase('Sequences', () => long.copySequences(step));
  await log.phase('MaterializedViews', () => long.refreshMaterializedViews(step));
  log.noteAnalyze(await log.phase('Analyze', () => long.analyze(step)));
  if (!step.request.compare) return [];
  return await log.phase('Compare', async () => {
    const found: Difference[] = [];
    await runAll([
      async () => void found.push(...(await compareRows(step, activities))),
      async () => void found.push(...(await long.compareCatalog(step)).differences),
    ]);
    return found;
  });
}

async function compareRows(step: DatabaseStep, { short, bulk }: ActivityClasses): Promise<Difference[]> {
  const { batches } = await short.planCompare(step);
  const slots = new Limiter(step.request.limits.copiesAtOnce);
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
