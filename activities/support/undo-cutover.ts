import type { Client } from 'pg';
import { liftFence } from '../../postgres/fence';
import { cutoverAttempt } from '../../postgres/ledger';
import { undoLate } from '../../postgres/schema';
import { entryOptions } from '../run-entries';
import type { Run } from './run';

/** What was made for a cutover that was called off would act on the changes to come: triggers fire, rules rewrite. */
export async function undoAttempt(target: Client, attempt: number, run: Run): Promise<void> {
  await undoLate({ client: target, attempt, ...entryOptions(run) });
}

/** Calls off the last attempt at the cutover, if there was one. */
export async function undoLastCutover(database: string, run: Run): Promise<void> {
  const attempt = await run.session('target', database, async (target) => {
    const last = await cutoverAttempt(target);
    if (last > 0) await undoAttempt(target, last, run);
    return last;
  });
  if (attempt === 0) return;
  await run.session('source', database, (source) => liftFence(source, run.request.migrationId));
}
