import type { Client } from 'pg';
import { once, type LedgerIdentity } from '../ledger';
import { refreshOrder } from './materialized-views';

export interface RefreshRequest {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  signal: AbortSignal;
  /** Called before each, e.g. `REFRESH MATERIALIZED VIEW "public"."totals"`. */
  onProgress?: (what: string) => void;
}

/**
 * Fills on the target every materialized view that is populated on the source, each once, in the order of their
 * dependencies. One that is not populated on the source stays so.
 *
 * @returns how many views this call refreshed.
 * @throws FlexliftError LedgerForeign, LedgerReleased; StatementRejected where the view's query fails.
 */
export async function refreshMaterializedViews(request: RefreshRequest): Promise<number> {
  const { source, target, identity, signal, onProgress } = request;
  let refreshed = 0;
  for (const name of await refreshOrder(source)) {
    signal.throwIfAborted();
    const statement = `REFRESH MATERIALIZED VIEW ${name}`;
    onProgress?.(statement);
    const done = await once(target, identity, { kind: 'refresh', key: name }, () => target.query(statement));
    if (done) refreshed += 1;
  }
  return refreshed;
}
