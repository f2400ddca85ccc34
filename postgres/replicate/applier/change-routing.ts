import type { Lsn } from '../lsn';
import { relationsIn, type Change, type Relation, type Truncate } from '../pgoutput';
import type { TableState } from './table-states';
import type { TransactionPiece } from './transaction-buffer';

/** A change of a table that is being copied anew. */
export interface SpooledChange {
  relation: Relation;
  commitLsn: Lsn;
  message: Buffer;
}

export interface RoutedChanges {
  apply: Change[];
  spool: SpooledChange[];
  /** How many transactions with something to apply have their end here. */
  transactions: number;
}

/** The oids of all tables that the changes touch and that are ours. */
export function touchedTables(pieces: TransactionPiece[], ours: ReadonlyMap<number, unknown>): number[] {
  const relations = new Set<Relation>();
  for (const { changes } of pieces) relationsIn(changes, relations);
  const oids = new Set([...relations].map(({ oid }) => oid));
  return [...oids].filter((oid) => ours.has(oid));
}

/**
 * Splits changes by what becomes of their tables. What the copy holds already, what belongs to a stopped table and what
 * belongs to no table of ours is dropped.
 */
export function routeChanges(
  pieces: TransactionPiece[],
  states: ReadonlyMap<number, TableState>,
): RoutedChanges {
  const routed: RoutedChanges = { apply: [], spool: [], transactions: 0 };
  for (const { commitLsn, changes, isContinued, endLsn } of pieces) {
    const before = routed.apply.length;
    for (const change of changes) routeChange(change, commitLsn, states, routed);
    const hasChanges = routed.apply.length > before || isContinued;
    if (hasChanges && endLsn !== undefined) routed.transactions += 1;
  }
  return routed;
}

function routeChange(
  change: Change,
  commitLsn: Lsn,
  states: ReadonlyMap<number, TableState>,
  routed: RoutedChanges,
): void {
  if (change.kind === 'truncate') return routeTruncate(change, commitLsn, states, routed);
  const { relation, bytes, start, end } = change;
  const fate = fateOf(states.get(relation.oid), commitLsn);
  if (fate === 'applied') routed.apply.push(change);
  if (fate === 'recopying') routed.spool.push({ relation, commitLsn, message: bytes.subarray(start, end) });
}

function routeTruncate(
  change: Truncate,
  commitLsn: Lsn,
  states: ReadonlyMap<number, TableState>,
  routed: RoutedChanges,
): void {
  const fated = (fate: TableState['streamState']) =>
    change.relations.filter(({ oid }) => fateOf(states.get(oid), commitLsn) === fate);
  const applied = fated('applied');
  if (applied.length > 0) routed.apply.push({ ...change, relations: applied });
  for (const relation of fated('recopying')) {
    routed.spool.push({ relation, commitLsn, message: truncateMessage(change, relation) });
  }
}

function fateOf(state: TableState | undefined, commitLsn: Lsn): TableState['streamState'] {
  return state === undefined || commitLsn < state.copyLsn ? 'stopped' : state.streamState;
}

/**
 * A Truncate message of one table alone: the spool keeps no Relation messages of the others.
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
function truncateMessage({ cascade, restartIdentity }: Truncate, { oid }: Relation): Buffer {
  const message = Buffer.alloc(10);
  message.write('T', 0, 'latin1');
  message.writeInt32BE(1, 1);
  message.writeUInt8((cascade ? 1 : 0) | (restartIdentity ? 2 : 0), 5);
  message.writeUInt32BE(oid, 6);
  return message;
}
