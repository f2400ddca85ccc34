import {
  FlexliftError,
  type CompareResult,
  type CompareStep,
  type DatabaseStep,
  type FinalComparePlan,
  type ProofPlan,
  type ProofResult,
  type ProofStep,
} from '../contract';
import { acceptDrift, finalCompare, planFinalCompare, proveTables, tablesToProve } from '../postgres/prove';
import type { Run } from './support/run';

/** The tables that a proof would save reading at the cutover. */
export async function planProofsStep({ request, database }: DatabaseStep, run: Run): Promise<ProofPlan> {
  return await run.session('target', database, async (target) => ({
    batches: await tablesToProve(target, { olderThanMs: request.timeouts.proof }),
  }));
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

/** A person has made the source's change on the target, too; where not quite, says what is missing. */
export async function acceptDriftStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const inTheWay = await run.sessions(database, (source, target) =>
    acceptDrift({ source, target, identity: run.identity }),
  );
  const [first, ...others] = inTheWay;
  if (first === undefined) return;
  throw new FlexliftError({
    code: 'SchemaDrift',
    sentence: `The drift cannot be accepted: ${first.object}: ${first.message}${others.length > 0 ? ` And ${others.length} more.` : ''}`,
    remedy: 'Make both schemas alike, then: flexlift resume --accept-drift.',
    database,
    object: first.object,
  });
}
