import { Tuple, type Delete, type Relation, type RowChange, type Update } from '../pgoutput';
import type { ChangedKeys } from './changed-keys';
import { unexpectedChange } from './change-rejection';
import { NetEffect } from './net-effect';
import { StatementFailure, type Pipeline } from './pipeline';
import { keyOf, type RowKey } from './row-key';
import type { TargetTable } from './target-table';
import { columnsToMatch, deleteEqualRow, moveRow, replaceRow, updateEqualRow } from './write-row';
import { deleteRows, insertRows, updateRows } from './write-rows';

/** Writes the changes of one table, late and together where that comes to the same. */
export interface TableWriter {
  readonly relation: Relation;
  readonly table: TargetTable;
  /** Most of what is pending is of rows that changed several times: the longer they wait, the less is written. */
  readonly isCollapsing: boolean;
  /** @returns `undefined` where nothing was to be written yet, as is usual */
  add(change: RowChange): Promise<void> | undefined;
  /** Writes what is pending. */
  flush(): Promise<void>;
}

export interface TableWriting {
  pipeline: Pipeline;
  relation: Relation;
  table: TargetTable;
  changedKeys: ChangedKeys;
  /** One statement for each change, in the source's order. */
  isStrict: boolean;
}

export function tableWriter(writing: TableWriting): TableWriter {
  switch (writing.table.identity) {
    case 'key':
      return new KeyedWriter(writing);
    case 'full':
      return new RowImageWriter(writing);
    case 'append':
      return new AppendWriter(writing);
  }
}

abstract class Writer {
  readonly relation: Relation;
  readonly table: TargetTable;
  protected readonly pipeline: Pipeline;
  protected readonly changedKeys: ChangedKeys;
  protected readonly isStrict: boolean;

  constructor({ relation, table, pipeline, changedKeys, isStrict }: TableWriting) {
    this.relation = relation;
    this.table = table;
    this.pipeline = pipeline;
    this.changedKeys = changedKeys;
    this.isStrict = isStrict;
  }

  protected reject(sentence: string): never {
    throw unexpectedChange(this.table, sentence);
  }
}

const CHANGES_OF_COLLAPSED_ROW = 4;

/** Rows are named by the key of the replica identity; what counts is the net effect. */
class KeyedWriter extends Writer implements TableWriter {
  private readonly effect = new NetEffect();
  /** What came before any other change: as long as nothing else does, nobody need know these rows again. */
  private newRows: Tuple[] = [];
  /** Since the last flush, but for those of new rows. */
  private changes = 0;

  get isCollapsing(): boolean {
    return this.changes >= CHANGES_OF_COLLAPSED_ROW * this.effect.size && this.effect.size > 0;
  }

  add(change: RowChange): Promise<void> | undefined {
    if (change.kind !== 'insert' && change.old?.kind === 'full') {
      this.reject('The source sends whole old rows and no keys of the replica identity any more.');
    }
    if (change.kind === 'delete') return this.addTo('delete', change.old.row);
    if (change.kind === 'insert' || change.old === undefined) return this.addTo(change.kind, change.row);
    return this.updateFrom(change.old.row, change.row);
  }

  /** An old key is sent for a key that lies in TOAST too, even where it stays. */
  private updateFrom(old: Tuple, sent: Tuple): Promise<void> | undefined {
    const { key } = this.table;
    const row = key.some((column) => sent.isUnchanged(column)) ? withKeyOf(old, sent, key) : sent;
    const [oldKey, newKey] = [this.keyOf(old), this.keyOf(row)];
    return oldKey === newKey ? this.addTo('update', row, newKey) : this.move(oldKey, newKey, old, row);
  }

  private async move(oldKey: RowKey, newKey: RowKey, old: Tuple, row: Tuple): Promise<void> {
    await this.flush();
    this.changedKeys.add(this.table, [oldKey, newKey]);
    moveRow(this.pipeline, this.table, old, row);
    if (this.pipeline.isCrowded) await this.pipeline.breathe();
  }

  private addTo(kind: RowChange['kind'], row: Tuple, key?: RowKey): Promise<void> | undefined {
    if (kind === 'insert' && this.effect.size === 0) this.newRows.push(row);
    else {
      for (const newRow of this.newRows.splice(0)) this.addToEffect('insert', newRow);
      this.addToEffect(kind, row, key);
    }
    return this.isStrict ? this.flush() : undefined;
  }

  private addToEffect(kind: RowChange['kind'], row: Tuple, key = this.keyOf(row)): void {
    this.changes += 1;
    if (this.effect.add(key, kind, row)) return;
    throw new StatementFailure({ action: kind, table: this.table, rows: 1 }, 0);
  }

  private keyOf(row: Tuple): RowKey {
    return keyOf(row, this.table.key) ?? this.reject('The source sent a row without its key.');
  }

  private *keysOf(rows: Tuple[]): Iterable<RowKey> {
    for (const row of rows) yield this.keyOf(row);
  }

  async flush(): Promise<void> {
    const { pipeline, table } = this;
    const newRows = this.newRows.splice(0);
    if (newRows.length > 0) {
      this.changedKeys.add(table, this.keysOf(newRows));
      await insertRows(pipeline, table, newRows);
      return;
    }
    this.changes = 0;
    this.changedKeys.add(table, this.effect.keys());
    const { deletes, updates, inserts } = this.effect.take();
    await deleteRows(pipeline, table, deletes);
    if (this.isStrict && columnsToMatch(table).length > table.key.length) {
      for (const row of updates) replaceRow(pipeline, table, row, row);
    } else {
      await updateRows(pipeline, table, updates);
    }
    await insertRows(pipeline, table, inserts);
  }
}

/** Rows come and are never changed, as far as the source tells. */
class AppendWriter extends Writer implements TableWriter {
  readonly isCollapsing = false;
  private rows: Tuple[] = [];

  add(change: RowChange): Promise<void> | undefined {
    if (change.kind !== 'insert') return this.addOther(change);
    this.rows.push(change.row);
    return this.isStrict ? this.flush() : undefined;
  }

  protected addOther(change: Update | Delete): Promise<void> {
    return this.reject(
      `The source sends changes of the kind ${change.kind} for a table without an identity.`,
    );
  }

  async flush(): Promise<void> {
    const { rows } = this;
    if (rows.length > 0) this.changedKeys.addUnnamed(this.table.oid);
    this.rows = [];
    await insertRows(this.pipeline, this.table, rows);
  }
}

/** Rows are named by all that is in them: each change is one of exactly one row. */
class RowImageWriter extends AppendWriter {
  protected override async addOther(change: Update | Delete): Promise<void> {
    const { pipeline, table } = this;
    await this.flush();
    this.changedKeys.addUnnamed(table.oid);
    if (change.old?.kind !== 'full') this.reject('The source does not send whole old rows any more.');
    if (change.old.row.hasUnchanged) this.reject('The source sent an old row that is not whole.');
    if (change.kind === 'delete') deleteEqualRow(pipeline, table, change.old.row);
    else updateEqualRow(pipeline, table, change.old.row, change.row);
    if (pipeline.isCrowded) await pipeline.breathe();
  }
}

function withKeyOf(old: Tuple, sent: Tuple, key: number[]): Tuple {
  return Tuple.of(
    sent
      .values()
      .map((value, column) => (sent.isUnchanged(column) && key.includes(column) ? old.value(column) : value)),
  );
}
