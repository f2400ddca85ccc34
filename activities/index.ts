import { buildIndexStep, runPostDataStep, runPreDataStep } from './run-entries';
import { cleanUpStep } from './clean-up';
import { compareCatalogStep } from './compare-catalog';
import { compareTablesStep, planCompareStep } from './compare-tables';
import { checksumSourceTableStep, copyGroupStep, copyLargeObjectsStep, copyPartStep } from './copy-rows';
import { createTargetDatabaseStep } from './create-target-database';
import { dumpSchemaStep } from './dump-schema';
import { analyzeStep, copySequencesStep, refreshMaterializedViewsStep } from './finish-database';
import { holdSnapshotStep } from './hold-snapshot';
import { planLoadStep } from './plan-load';
import { releaseStep } from './release';
import { durableStep } from './support/run';
import type { Secrets } from './support/secrets';
import { validateStep } from './validate';

/** All durable steps. A name here is the activity's type in histories: renaming one breaks running migrations. */
export function createActivities({ secrets }: { secrets: Secrets }) {
  return {
    validate: durableStep(secrets, validateStep),
    createTargetDatabase: durableStep(secrets, createTargetDatabaseStep),
    holdSnapshot: durableStep(secrets, holdSnapshotStep),
    dumpSchema: durableStep(secrets, dumpSchemaStep),
    runPreData: durableStep(secrets, runPreDataStep),
    planLoad: durableStep(secrets, planLoadStep),
    copyPart: durableStep(secrets, copyPartStep),
    copyGroup: durableStep(secrets, copyGroupStep),
    copyLargeObjects: durableStep(secrets, copyLargeObjectsStep),
    checksumSourceTable: durableStep(secrets, checksumSourceTableStep),
    buildIndex: durableStep(secrets, buildIndexStep),
    runPostData: durableStep(secrets, runPostDataStep),
    copySequences: durableStep(secrets, copySequencesStep),
    refreshMaterializedViews: durableStep(secrets, refreshMaterializedViewsStep),
    analyze: durableStep(secrets, analyzeStep),
    planCompare: durableStep(secrets, planCompareStep),
    compareTables: durableStep(secrets, compareTablesStep),
    compareCatalog: durableStep(secrets, compareCatalogStep),
    release: durableStep(secrets, releaseStep),
    cleanUp: durableStep(secrets, cleanUpStep),
  };
}

export type Activities = ReturnType<typeof createActivities>;
