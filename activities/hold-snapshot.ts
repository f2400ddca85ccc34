import type { DatabaseStep } from '../contract';
import { describeAndChecksum } from '../postgres/compare';
import { migrationPrefix } from '../postgres/connect';
import { holdSnapshot } from '../postgres/copy';
import { isPreDataDone } from '../postgres/schema';
import type { Run } from './support/run';

/** All activities that write rows under a snapshot have types that begin so: copyPart, copyGroup, copyLargeObjects. */
const WRITERS = 'copy';

/** The keeper: ends only when it is cancelled, or when what it holds is lost. */
export async function holdSnapshotStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await holdSnapshot({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    limits: run.request.limits,
    predecessorPrefix: run.workPrefix,
    writersPrefix: `${migrationPrefix(run.request.migrationId)}${WRITERS}`,
    lockTimeout: run.request.timeouts.lock,
    checksumTables: describeAndChecksum,
    canCopy: isPreDataDone,
    signal: run.signal,
    onProgress: (what) => run.progress({ what }),
  });
}
