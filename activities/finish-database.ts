import type { CutoverStep, DatabaseStep, RefreshStep } from '../contract';
import { analyzeDatabase, copySequences, refreshMaterializedViews } from '../postgres/compare';
import type { Run } from './support/run';

/** Online these belong to one attempt to cut over. */
type FinishStep = DatabaseStep & Partial<CutoverStep>;

/** What a database needs once its rows, indexes and constraints are there. */

export async function copySequencesStep({ database, attempt }: FinishStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.sessions(database, (source, target) =>
    copySequences({ source, target, identity, attempt, signal }),
  );
}

export async function refreshMaterializedViewsStep(
  { database, attempt, beforeRowSecurity }: RefreshStep,
  run: Run,
): Promise<void> {
  const { identity, signal } = run;
  await run.sessions(database, (source, target) =>
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
}

export async function analyzeStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.session('target', database, (client) =>
    analyzeDatabase({ client, identity, signal, onProgress: (what) => run.progress({ what }) }),
  );
}
