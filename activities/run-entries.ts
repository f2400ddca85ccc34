import type { DatabaseStep, IndexStep } from '../contract';
import { runEntry, runPostData, runPreData, type EntryProgress } from '../postgres/schema';
import type { Run } from './support/run';

export async function runPreDataStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await run.session('target', database, (client) => runPreData({ client, ...entryOptions(run) }));
}

export async function runPostDataStep({ database }: DatabaseStep, run: Run): Promise<void> {
  await run.session('target', database, (client) => runPostData({ client, ...entryOptions(run) }));
}

export async function buildIndexStep({ database, entry }: IndexStep, run: Run): Promise<void> {
  await run.session('target', database, (client) =>
    runEntry({ client, dumpId: entry.dumpId, ...entryOptions(run) }),
  );
}

function entryOptions(run: Run) {
  return {
    identity: run.identity,
    signal: run.signal,
    onProgress: ({ object, done, total }: EntryProgress) =>
      run.progress({ what: `${done} of ${total}: ${object ?? 'done'}` }),
  };
}
