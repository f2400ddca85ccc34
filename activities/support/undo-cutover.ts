import type { Client } from 'pg';
import { cutoverAttempt, isReplicaRoleAllowed } from '../../postgres/ledger';
import { undoLate } from '../../postgres/schema';
import { entryOptions } from '../run-entries';
import type { Run } from './run';

/** What was made for a cutover that was called off would act on the changes to come: triggers fire, rules rewrite. */
export async function undoAttempt(target: Client, attempt: number, run: Run): Promise<void> {
  const foreignKeys = !(await isReplicaRoleAllowed(target));
  await undoLate({ client: target, attempt, foreignKeys, ...entryOptions(run) });
}

/** Of a run that ended in the middle of its cutover. */
export async function undoLastCutover(target: Client, run: Run): Promise<void> {
  const attempt = await cutoverAttempt(target);
  if (attempt > 0) await undoAttempt(target, attempt, run);
}
