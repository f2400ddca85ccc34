import type { Client } from 'pg';
import { isDone, once, type LedgerIdentity } from './ledger';

const STEP = { kind: 'phase', key: 'load' };

/** All tables are copied, and what their changes are found by is built: changes can be applied from now on. */
export async function noteLoadEnd(target: Client, identity: LedgerIdentity): Promise<void> {
  await once(target, identity, STEP, () => Promise.resolve());
}

export async function isLoaded(target: Client): Promise<boolean> {
  return await isDone(target, STEP);
}

/** In the caller's ledger transaction. */
export async function forgetLoadEnd(target: Client): Promise<void> {
  await target.query('DELETE FROM flexlift.step WHERE kind = $1 AND key = $2', [STEP.kind, STEP.key]);
}
