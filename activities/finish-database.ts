import type { DatabaseStep } from '../contract';
import { analyzeDatabase, copySequences, refreshMaterializedViews } from '../postgres/compare';
import type { Run } from './support/run';

/** What a database needs once its rows, indexes and constraints are there. */

export async function copySequencesStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.session('source', database, (source) =>
    run.session('target', database, (target) => copySequences({ source, target, identity, signal })),
  );
}

export async function refreshMaterializedViewsStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.session('source', database, (source) =>
    run.session('target', database, (target) =>
      refreshMaterializedViews({
        source,
        target,
        identity,
        signal,
        onProgress: (what) => run.progress({ what }),
      }),
    ),
  );
}

export async function analyzeStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { identity, signal } = run;
  await run.session('target', database, (client) =>
    analyzeDatabase({ client, identity, signal, onProgress: (what) => run.progress({ what }) }),
  );
}
