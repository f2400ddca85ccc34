import type {
  CompareLimitStep,
  CompareResult,
  CompareStep,
  DatabaseStep,
  FinalComparePlan,
  ProofPlan,
  ProofPlanStep,
  ProofResult,
  ProofStep,
} from '../contract';
import {
  boundChangedRows,
  finalCompare,
  planFinalCompare,
  proveTables,
  tablesToProve,
} from '../postgres/prove';
import { refuseLongCompare } from './cutover-refusals';
import type { Run } from './support/run';

/** The tables that a proof would save reading at the cutover. */
export async function planProofsStep(
  { request, database, beforeFence }: ProofPlanStep,
  run: Run,
): Promise<ProofPlan> {
  return await run.sessions(database, async (source, target) => {
    await boundChangedRows(target, run.identity);
    const options = { olderThanMs: request.timeouts.proof, beforeFence };
    return { batches: await tablesToProve({ source, target }, options) };
  });
}

export async function proveTablesStep(
  { request, database, tableOids }: ProofStep,
  run: Run,
): Promise<ProofResult> {
  return await proveTables({
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    migrationId: request.migrationId,
    tableOids,
    predecessorPrefix: run.workPrefix,
    signal: run.signal,
    onProgress: (what) => run.progress({ what }),
  });
}

export async function refuseLongCompareStep(step: CompareLimitStep, run: Run): Promise<void> {
  const { database, request, fence, maxCompareBytes, postponed } = step;
  const { compare } = request;
  const trustsCounters = fence !== 'none';
  await run.sessions(database, (source, target) =>
    refuseLongCompare({ source, target, compare, trustsCounters }, { maxCompareBytes, postponed }),
  );
}

export async function planFinalCompareStep({ database }: DatabaseStep, run: Run): Promise<FinalComparePlan> {
  return await run.session('target', database, async (target) => ({
    batches: await planFinalCompare(target),
  }));
}

export async function finalCompareStep(
  { database, tableOids }: CompareStep,
  run: Run,
): Promise<CompareResult> {
  const { identity, signal } = run;
  return await run.sessions(database, async (source, target) => ({
    differences: await finalCompare({
      source,
      target,
      identity,
      tableOids,
      signal,
      onProgress: (what) => run.progress({ what }),
    }),
  }));
}
