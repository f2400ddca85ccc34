import type { DatabaseStep } from '../contract';
import { checksumTable } from '../postgres/compare';
import { holdSnapshot } from '../postgres/copy';
import { isPreDataDone } from '../postgres/schema';
import type { Run } from './support/run';
import { writersPrefix } from './support/writers';

/** The keeper: ends only when it is cancelled, when what it holds is lost, or when it is needed no more. */
export async function holdSnapshotStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await holdSnapshot({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    limits: run.request.limits,
    predecessorPrefix: run.workPrefix,
    writersPrefix: writersPrefix(run.request.migrationId),
    lockTimeout: run.request.timeouts.lock,
    checksumTable,
    canCopy: isPreDataDone,
    signal: run.signal,
    onProgress: (what) => run.progress({ what }),
  });
}
