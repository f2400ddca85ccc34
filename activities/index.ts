import { acceptDriftStep } from './accept-drift';
import { applyChangesStep } from './apply-changes';
import {
  beginCutoverStep,
  liftFenceStep,
  raiseFenceStep,
  rereadPropertiesStep,
  runLateStep,
  undoCutoverStep,
} from './cutover';
import { checkRecopyStep, copyLateRowsStep, holdTableSnapshotStep, resetForRecopyStep } from './online-load';
import {
  finalCompareStep,
  planFinalCompareStep,
  planProofsStep,
  proveTablesStep,
  refuseLongCompareStep,
} from './prove-tables';
import {
  buildForeignKeysStep,
  buildIndexStep,
  buildKeyIndexStep,
  runBeforeReplicationStep,
  runPostDataStep,
  runPreDataStep,
} from './run-entries';
import { prepareSourceStep, takeAwaySourceStep } from './source-objects';
import { cleanUpStep } from './clean-up';
import { compareCatalogStep, readSourceCatalogStep } from './compare-catalog';
import { compareTablesStep, planCompareStep } from './compare-tables';
import { compareUnpublishedStep } from './compare-unpublished';
import { completeScopeStep } from './complete-scope';
import { checksumSourceTableStep, copyGroupStep, copyLargeObjectsStep, copyPartStep } from './copy-rows';
import { createTargetDatabaseStep } from './create-target-database';
import { dumpSchemaStep } from './dump-schema';
import { analyzeStep, copySequencesStep, refreshMaterializedViewsStep } from './finish-database';
import { holdSnapshotStep } from './hold-snapshot';
import { emitMarkerStep, lastLookStep, passMarkerStep } from './pass-marker';
import { planLoadStep } from './plan-load';
import { releaseStep } from './release';
import { durableStep } from './support/run';
import type { Secrets } from './support/secrets';
import { validateStep } from './validate';
import { watchSourceStep } from './watch-source';

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
    completeScope: durableStep(secrets, completeScopeStep),
    buildIndex: durableStep(secrets, buildIndexStep),
    buildKeyIndex: durableStep(secrets, buildKeyIndexStep),
    runPostData: durableStep(secrets, runPostDataStep),
    copySequences: durableStep(secrets, copySequencesStep),
    refreshMaterializedViews: durableStep(secrets, refreshMaterializedViewsStep),
    analyze: durableStep(secrets, analyzeStep),
    planCompare: durableStep(secrets, planCompareStep),
    compareTables: durableStep(secrets, compareTablesStep),
    compareCatalog: durableStep(secrets, compareCatalogStep),
    release: durableStep(secrets, releaseStep),
    cleanUp: durableStep(secrets, cleanUpStep),

    prepareSource: durableStep(secrets, prepareSourceStep),
    holdTableSnapshot: durableStep(secrets, holdTableSnapshotStep),
    runBeforeReplication: durableStep(secrets, runBeforeReplicationStep),
    applyChanges: durableStep(secrets, applyChangesStep),
    watchSource: durableStep(secrets, watchSourceStep),
    emitMarker: durableStep(secrets, emitMarkerStep),
    passMarker: durableStep(secrets, passMarkerStep),
    lastLook: durableStep(secrets, lastLookStep),
    buildForeignKeys: durableStep(secrets, buildForeignKeysStep),
    planProofs: durableStep(secrets, planProofsStep),
    proveTables: durableStep(secrets, proveTablesStep),
    refuseLongCompare: durableStep(secrets, refuseLongCompareStep),
    acceptDrift: durableStep(secrets, acceptDriftStep),
    checkRecopy: durableStep(secrets, checkRecopyStep),
    resetForRecopy: durableStep(secrets, resetForRecopyStep),
    beginCutover: durableStep(secrets, beginCutoverStep),
    readSourceCatalog: durableStep(secrets, readSourceCatalogStep),
    rereadProperties: durableStep(secrets, rereadPropertiesStep),
    raiseFence: durableStep(secrets, raiseFenceStep),
    liftFence: durableStep(secrets, liftFenceStep),
    runLate: durableStep(secrets, runLateStep),
    undoCutover: durableStep(secrets, undoCutoverStep),
    copyLateRows: durableStep(secrets, copyLateRowsStep),
    planFinalCompare: durableStep(secrets, planFinalCompareStep),
    finalCompare: durableStep(secrets, finalCompareStep),
    compareUnpublished: durableStep(secrets, compareUnpublishedStep),
    takeAwaySource: durableStep(secrets, takeAwaySourceStep),
  };
}

export type Activities = ReturnType<typeof createActivities>;
