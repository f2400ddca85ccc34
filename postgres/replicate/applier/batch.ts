import type { Client } from 'pg';
import type { ChangeCounts } from '../../../contract';
import type { LedgerIdentity } from '../../ledger';
import { writeChanges, type TargetTables } from '../apply';
import type { Lsn } from '../lsn';
import { routeChanges, touchedTables } from './change-routing';
import { ChangedRows } from './changed-rows';
import { checkDeferredConstraints } from './deferred-constraints';
import { addCounts, advanceStream, NO_CHANGES } from './ledger-position';
import { noteMarkers } from './met-markers';
import { spoolChanges } from './spool';
import { lockTableStates, withStreamAndTableStates, type StreamTable, type TableState } from './table-states';
import type { TransactionPiece } from './transaction-buffer';

/** What every batch of a run is written with. */
export interface BatchWriter {
  target: Client;
  identity: LedgerIdentity;
  /** By oid on the source. */
  tables: ReadonlyMap<number, StreamTable>;
  targetTables: TargetTables;
  /** The session's `session_replication_role` is replica. */
  replicaRole: boolean;
  signal: AbortSignal;
}

export interface Batch {
  /** Where the ledger stands before it. */
  from: Lsn;
  first: TransactionPiece[];
  /** The pieces that follow where the last one so far is no transaction's end; waits for them. */
  next: () => Promise<TransactionPiece[]>;
  /** Its run is behind `quietFrom`: there is nothing but markers in it. */
  isQuiet: boolean;
  /** See `Until`; no batch goes on behind it. */
  quietFrom?: string;
  /** Asked at its end, when it holds no marker: its commit need not wait for the target's disk, for others follow. */
  mayLinger: () => boolean;
}

export interface BatchEnd {
  lsn: Lsn;
  commitTime: number;
  counts: ChangeCounts;
  markers: string[];
  /** The target has it on its disk. Else one of the next ones, or its WAL writer, brings it there. */
  isDurable: boolean;
}

/**
 * Writes whole transactions of the source in one transaction of the target, which moves the ledger's position too. A
 * transaction larger than a batch is written as it arrives.
 *
 * @throws ChangeRejection where a table cannot take a change; nothing is written then
 * @throws FlexliftError Contention where another applier is at work
 */
export async function applyBatch(writer: BatchWriter, batch: Batch): Promise<BatchEnd> {
  const { target, identity, tables, replicaRole } = writer;
  const held = { from: batch.from, oids: touchedTables(batch.first, tables) };
  return await withStreamAndTableStates(target, identity, held, async (first) => {
    let states = first;
    const changedRows = new ChangedRows(target);
    const markers: string[] = [];
    let counts = NO_CHANGES;
    let pieces = batch.first;
    let isContinued = false;
    for (;;) {
      const written = await writePieces(writer, { pieces, states, changedRows, isContinued });
      isContinued ||= written !== undefined;
      counts = addCounts(counts, written ?? NO_CHANGES);
      markers.push(...pieces.flatMap((piece) => piece.markers));
      const last = pieces.at(-1);
      if (last?.endLsn !== undefined) {
        if (!replicaRole) await checkDeferredConstraints(target, tables);
        await noteMarkers(target, markers, batch);
        const { endLsn: lsn, commitTime } = last;
        // whoever sees a marker relies on all before it
        const isDurable = markers.length > 0 || !batch.mayLinger();
        await advanceStream(target, { from: batch.from, to: lsn, commitTime, counts, isDurable });
        return { lsn, commitTime, counts, markers, isDurable };
      }
      pieces = await batch.next();
      states = await lockTableStates(target, touchedTables(pieces, tables));
    }
  });
}

interface PiecesToWrite {
  pieces: TransactionPiece[];
  /** Of all tables that they touch and that are ours. */
  states: ReadonlyMap<number, TableState>;
  changedRows: ChangedRows;
  /** Earlier ones of the same transaction have written something. */
  isContinued: boolean;
}

/** @returns undefined where there is nothing to write */
async function writePieces(
  { target, tables, targetTables, signal }: BatchWriter,
  { pieces, states, changedRows, isContinued }: PiecesToWrite,
): Promise<ChangeCounts | undefined> {
  const { apply, spool, transactions } = routeChanges(pieces, states);
  await spoolChanges(target, spool);
  if (apply.length === 0) return undefined;
  const written = await writeChanges({
    target,
    tables: targetTables,
    changes: apply,
    loaded: loadedTables(tables),
    isNoted: (oid) => states.get(oid)?.keysNoted === true,
    isContinued,
    signal,
  });
  await changedRows.note(written.changedKeys, behind(pieces));
  return addCounts({ ...NO_CHANGES, transactions }, written);
}

export function loadedTables(tables: ReadonlyMap<number, StreamTable>): (oid: number) => StreamTable {
  return (oid) => {
    const table = tables.get(oid);
    if (table === undefined) throw new Error(`the ledger knows no table with oid ${oid}`);
    return table;
  };
}

/** The end of a large transaction is not known yet; it lies behind the beginning of its commit record. */
function behind(pieces: TransactionPiece[]): Lsn {
  const last = pieces.at(-1);
  if (last === undefined) throw new Error('a batch without a transaction');
  return last.endLsn ?? last.commitLsn + 1n;
}
