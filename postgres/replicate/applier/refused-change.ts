import { formatLsn } from '../lsn';
import { relationsIn } from '../pgoutput';
import type { RefusedChange } from './apply-changes';
import type { StreamTable } from './table-states';
import type { TransactionPiece } from './transaction-buffer';

/** The first of the changes to one of our tables, by its transaction; markers are none. */
export function firstChange(
  pieces: TransactionPiece[],
  tables: ReadonlyMap<number, StreamTable>,
): RefusedChange | undefined {
  for (const { commitLsn, commitTime, changes } of pieces) {
    const table = [...relationsIn(changes)]
      .map(({ oid }) => tables.get(oid))
      .find((known) => known !== undefined);
    if (table === undefined) continue;
    return { table: table.name, commitTime: new Date(commitTime).toISOString(), lsn: formatLsn(commitLsn) };
  }
  return undefined;
}
