import type { AnalyzeResult, CutoverStep, DatabaseStep, RefreshResult, RefreshStep } from '../contract';
import { analyzeDatabase, copySequences, refreshMaterializedViews } from '../postgres/compare';
import { witnessUnlogged } from '../postgres/copy';
import type { Run } from './support/run';
import { sessionsOnTarget } from './support/target-sessions';

/** What a database needs once its rows, indexes and constraints are there. Online these belong to one attempt to cut over. */
type FinishStep = DatabaseStep & Partial<CutoverStep>;

export async function copySequencesStep({ database, attempt }: FinishStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.sessions(database, async (source, target) => {
    // sequences can be unlogged, too
    if (attempt !== undefined) await witnessUnlogged(target, identity, attempt);
    await copySequences({ source, target, identity, attempt, signal });
  });
}

export async function refreshMaterializedViewsStep(
  { database, attempt, beforeRowSecurity }: RefreshStep,
  run: Run,
): Promise<RefreshResult> {
  const { identity, signal } = run;
  const { filled } = await run.sessions(database, (source, target) =>
    refreshMaterializedViews({
      source,
      target,
      identity,
      attempt,
      beforeRowSecurity,
      signal,
      onProgress: (what) => run.progress({ what }),
    }),
  );
  return { filled };
}

export async function analyzeStep({ database }: DatabaseStep, run: Run): Promise<AnalyzeResult> {
  const { identity, signal, request } = run;
  return await sessionsOnTarget(run, database, request.limits.indexesAtOnce, async (clients) => {
    const onProgress = (what: string) => run.progress({ what });
    const { left } = await analyzeDatabase({ clients, identity, signal, onProgress });
    const [first] = left;
    if (first === undefined) return {};
    const others = left.length === 1 ? '' : `, nor has it of ${left.length - 1} others`;
    return {
      left: {
        ...first,
        sentence: `The target has no statistics of ${first.object}${others}: ${first.sentence}`,
        remedy: 'Nothing is lost; run ANALYZE on the target when what keeps it from them is mended.',
      },
    };
  });
}
