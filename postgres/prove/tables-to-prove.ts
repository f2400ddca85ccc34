import type { Client } from 'pg';
import { currentStandings } from './current-standings';
import { comparisonKind } from './final-compare-plan';
import { byGroup, tableBatch, type TableBatch, type TableStanding } from './table-standings';

/** So many changed rows are compared one by one at the cutover; with more, a table is proven again. */
const FEW_CHANGES = 10_000;

export interface TablesToProveOptions {
  /** A table that changed at all is proven again when its proof is older. Milliseconds. */
  olderThanMs: number;
  /** Every table that would else be read whole behind the fence, whatever changes while it is proven. Default false. */
  beforeFence?: boolean;
}

/**
 * Rounds of proofs in the order of need: first what was never proven, then what changed most since. A large table is a
 * round of its own. Empty: every table that can be proven is, and changed little since.
 */
export async function tablesToProve(
  { source, target }: { source: Client; target: Client },
  options: TablesToProveOptions,
): Promise<TableBatch[]> {
  const standings = await currentStandings(source, target);
  const needy = standings.filter((table) => needsProof(table, options));
  return byGroup(needy.sort(byNeed)).map((tables) => tableBatch('prove', tables));
}

function needsProof(
  table: TableStanding,
  { olderThanMs, beforeFence = false }: TablesToProveOptions,
): boolean {
  if (!table.isApplied || (table.identity !== 'key' && table.identity !== 'full')) return false;
  if (table.proof === undefined) return true;
  if (table.changes === 0) return false;
  if (beforeFence && comparisonKind(table) === 'whole') return true;
  if (table.proof.ageMilliseconds >= olderThanMs) return true;
  // without a key the ledger can name no row: any change would ask for a proof at once, again and again
  if (table.changes === 'unknown') return table.identity === 'key';
  return table.changes >= FEW_CHANGES;
}

function byNeed(a: TableStanding, b: TableStanding): number {
  return need(b) - need(a);
}

function need({ proof, changes, bytes }: TableStanding): number {
  if (proof === undefined) return Number.MAX_VALUE;
  return changes === 'unknown' ? Number.MAX_SAFE_INTEGER + bytes : changes;
}
