import type { Client } from 'pg';
import { atSide } from '../connect';
import { holdCutover, once, silenceTriggers, stepKey, type LedgerIdentity } from '../ledger';
import { readMaterializedViews, type MaterializedView } from './materialized-views';
import { viewsUnderRowSecurity } from './row-security';

export interface RefreshRequest {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /** The cutover that they are filled for, where there is one: each fills all of them anew. */
  attempt?: number;
  /** Only those views that {@link viewsUnderRowSecurity} does not name. Default: all. */
  beforeRowSecurity?: boolean;
  signal: AbortSignal;
  /** Called before each, e.g. `REFRESH MATERIALIZED VIEW "public"."totals"`. */
  onProgress?: (what: string) => void;
}

export interface Refreshed {
  /** Views that this call refreshed. */
  refreshed: number;
  /** Views that are filled now, by whichever call. */
  filled: number;
}

/**
 * Fills on the target every materialized view that is populated on the source, each once, in the order of their
 * dependencies. One that is not populated on the source is emptied, if a cutover that was called off has filled it.
 *
 * @throws FlexliftError LedgerForeign, LedgerReleased; CutoverRefused where the cutover is called off; StatementRejected,
 *   DataRejected… where a view's query fails, naming the view
 */
export async function refreshMaterializedViews(request: RefreshRequest): Promise<Refreshed> {
  const { source, target, identity, attempt, signal, onProgress } = request;
  const views = await readMaterializedViews(source);
  const bound = await viewsUnderRowSecurity(source, views);
  const before = (await readMaterializedViews(target)).filter(({ populated }) => populated);
  const wasFilled = ({ quotedName }: MaterializedView) =>
    before.some((view) => view.quotedName === quotedName);
  const result = { refreshed: 0, filled: 0 };
  for (const view of views.filter((each) => each.populated || wasFilled(each))) {
    const { quotedName: name, populated } = view;
    if (request.beforeRowSecurity === true && bound.has(name)) continue;
    signal.throwIfAborted();
    const statement = `REFRESH MATERIALIZED VIEW ${name}${populated ? '' : ' WITH NO DATA'}`;
    onProgress?.(statement);
    const done = await once(target, identity, { kind: 'refresh', key: stepKey(name, attempt) }, async () => {
      await holdCutover(target, attempt);
      // in a later run they may be there already
      await silenceTriggers(target);
      // our own sessions would rather fail than see less
      if (bound.has(name)) await target.query('SET LOCAL row_security = on');
      await atSide('target', target, () => target.query(statement), statement);
    });
    if (done) result.refreshed += 1;
    if (populated) result.filled += 1;
  }
  return result;
}
