import type { Tuple, Value } from '../pgoutput';
import {
  deleteEqualRowStatement,
  replaceEqualRowStatement,
  updateEqualRowStatement,
} from './equal-row-statements';
import type { Pipeline } from './pipeline';
import {
  deleteRowStatement,
  insertRowStatement,
  replaceRowStatement,
  updateRowStatement,
} from './statements';
import type { TargetTable } from './target-table';

export function insertRow(pipeline: Pipeline, table: TargetTable, row: Tuple): void {
  pipeline.executeWith(insertRowStatement(table), { action: 'insert', table, rows: 1 }, values(row));
}

/** A row that keeps its key, and its GENERATED ALWAYS identity: with another one it is not found. */
export function updateRow(pipeline: Pipeline, table: TargetTable, row: Tuple): void {
  const set = columnsToSet(table, row);
  if (set.length === 0 && table.columns.length === 1 && table.always !== undefined) {
    replaceRow(pipeline, table, row, row);
    return;
  }
  const match = columnsToMatch(table);
  const parameters = [...values(row, set), ...values(row, match)];
  pipeline.executeWith(
    updateRowStatement(table, set, match),
    { action: 'update', table, rows: 1 },
    parameters,
  );
}

/** @param oldKey holds the key's columns as they were */
export function moveRow(pipeline: Pipeline, table: TargetTable, oldKey: Tuple, row: Tuple): void {
  if (table.always !== undefined) {
    replaceRow(pipeline, table, oldKey, row);
    return;
  }
  const set = sentColumns(row);
  pipeline.executeWith(updateRowStatement(table, set, table.key), { action: 'update', table, rows: 1 }, [
    ...values(row, set),
    ...values(oldKey, table.key),
  ]);
}

/** As an update that may set anything. @param oldKey holds the key's columns as they were */
export function replaceRow(pipeline: Pipeline, table: TargetTable, oldKey: Tuple, row: Tuple): void {
  const set = sentColumns(row);
  pipeline.executeWith(replaceRowStatement(table, set), { action: 'update', table, rows: 1 }, [
    ...values(row, set),
    ...values(oldKey, table.key),
  ]);
}

/** @param old holds the key's columns */
export function deleteRow(pipeline: Pipeline, table: TargetTable, old: Tuple): void {
  const key = values(old, table.key);
  pipeline.executeWith(deleteRowStatement(table), { action: 'delete', table, rows: 1 }, key);
}

/** Changes exactly one of the rows that are equal to `old`, which is whole. */
export function updateEqualRow(pipeline: Pipeline, table: TargetTable, old: Tuple, row: Tuple): void {
  const { always } = table;
  // a row of no columns is as it was
  if (row.length === 0) return;
  const staysAlways = always === undefined || isSame(old.value(always), row.value(always));
  const set = sentColumns(row).filter((position) => !staysAlways || position !== always);
  const isUpdate = staysAlways && !(set.length === 0 && row.length === 1 && always !== undefined);
  const statement = (isUpdate ? updateEqualRowStatement : replaceEqualRowStatement)(table, set, old);
  const parameters = [...values(row, set), ...values(old)];
  pipeline.executeWith(statement, { action: 'update', table, rows: 1 }, parameters);
}

/** Deletes exactly one of the rows that are equal to `old`, which is whole. */
export function deleteEqualRow(pipeline: Pipeline, table: TargetTable, old: Tuple): void {
  const statement = deleteEqualRowStatement(table, old);
  pipeline.executeWith(statement, { action: 'delete', table, rows: 1 }, values(old));
}

/** Positions of what was sent and is to be set in a row that keeps its key. */
export function columnsToSet(table: TargetTable, row: Tuple): number[] {
  return sentColumns(row).filter((position) => !table.key.includes(position) && position !== table.always);
}

/** Positions of what finds a row that keeps its key. */
export function columnsToMatch({ key, always }: TargetTable): number[] {
  return always === undefined || key.includes(always) ? key : [...key, always];
}

function sentColumns(row: Tuple): number[] {
  return allColumns(row).filter((column) => !row.isUnchanged(column));
}

function allColumns({ length }: Tuple): number[] {
  return Array.from({ length }, (_, column) => column);
}

function isSame(left: Value, right: Value): boolean {
  return Buffer.isBuffer(left) && Buffer.isBuffer(right) && left.equals(right);
}

function values(row: Tuple, columns = allColumns(row)): (Buffer | null)[] {
  return columns.map((column) => {
    const value = row.value(column);
    return Buffer.isBuffer(value) ? value : null;
  });
}
