import type { Client } from 'pg';
import { piecesLeft, type LoadPlan, type LoadStep } from '../contract';
import { completeScope, resetEmptied } from '../postgres/copy';
import { isLoadComplete, remainingLoad } from '../postgres/ledger';
import { costliestFirst } from '../postgres/schema';
import { planOnlineLoadStep } from './online-load';
import type { Run } from './support/run';
import { withSnapshot } from './support/snapshot';

/**
 * Says what of the keeper's plan is left. Where nothing is, the snapshot has served: its scope is completed, and a
 * keeper that dies from then on costs nothing.
 */
export async function planLoadStep(step: LoadStep, run: Run): Promise<LoadPlan> {
  const { database } = step;
  const { identity, request } = run;
  if (request.mode === 'Online') return await planOnlineLoadStep(step, run);
  const remaining = (target: Client) => remainingLoad(target, { checksums: request.compare });
  // without a snapshot no checksum is taken under it: the comparison takes what it lacks itself
  const settled = async (target: Client) =>
    (await isLoadComplete(target)) ? await remainingLoad(target, { checksums: false }) : undefined;
  return await withSnapshot(run, database, { settled }, async ({ source, target, scope }) => {
    await resetEmptied(target, identity);
    const plan = await remaining(target);
    if (piecesLeft(plan) > 0) return await costliestFirst({ source, target }, plan);
    const { complete } = await completeScope({ target, identity, scope: scope.scope });
    return complete ? plan : await remaining(target);
  });
}
