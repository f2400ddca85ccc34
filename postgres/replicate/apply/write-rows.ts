import type { Tuple } from '../pgoutput';
import type { MessageWriter } from './message-writer';
import type { Pipeline, Statement } from './pipeline';
import { copyStatement, deleteRowsStatement, updateRowsStatement } from './statements';
import type { TargetTable } from './target-table';
import { writeArray, writeCopyRow } from './value-text';
import { columnsToMatch, columnsToSet, deleteRow, insertRow, updateRow } from './write-row';

/** A row above it travels alone, with no array or COPY data built from it. */
const BYTES_OF_HUGE_ROW = 1024 ** 2;
/** Of the values in one statement. */
const STATEMENT_BYTES = 4 * 1024 ** 2;
const COPY_DATA_BYTES = 64 * 1024;

/** New rows, by one COPY; in no order that matters. */
export async function insertRows(pipeline: Pipeline, table: TargetTable, rows: Tuple[]): Promise<void> {
  const small: Tuple[] = [];
  for (const row of rows) {
    if (row.size <= BYTES_OF_HUGE_ROW) {
      small.push(row);
      continue;
    }
    insertRow(pipeline, table, row);
    await pipeline.breathe();
  }
  const [only] = small;
  if (only === undefined) return;
  if (small.length === 1) return insertRow(pipeline, table, only);
  await pipeline.copy(copyStatement(table), { action: 'insert', table, rows: small.length }, (writer) =>
    writeCopyData(pipeline, writer, small),
  );
}

async function writeCopyData(pipeline: Pipeline, writer: MessageWriter, rows: Tuple[]): Promise<void> {
  writer.begin('d');
  for (const row of rows) {
    if (writer.messageBytes > COPY_DATA_BYTES) {
      writer.finish();
      if (pipeline.isCrowded) await pipeline.breathe();
      writer.begin('d');
    }
    writeCopyRow(writer, row);
  }
  writer.finish();
}

/** Rows of different keys that keep them, and their GENERATED ALWAYS identity: with another one a row is not found. */
export async function updateRows(pipeline: Pipeline, table: TargetTable, rows: Tuple[]): Promise<void> {
  const match = columnsToMatch(table);
  for (const { set, rows: alike } of bySentColumns(table, rows)) {
    // a table of one column may have none to set
    const slices = set.length === 0 ? alike.map((row) => [row]) : slicesOf(table, [...set, ...match], alike);
    for (const slice of slices) {
      const [only] = slice;
      if (slice.length === 1 && only !== undefined) updateRow(pipeline, table, only);
      else {
        const statement = updateRowsStatement(table, set, match);
        executeMany(pipeline, table, statement, 'update', [...set, ...match], slice);
      }
      await pipeline.breathe();
    }
  }
}

/** @param rows hold the key's columns at least */
export async function deleteRows(pipeline: Pipeline, table: TargetTable, rows: Tuple[]): Promise<void> {
  for (const slice of slicesOf(table, table.key, rows)) {
    const [only] = slice;
    if (slice.length === 1 && only !== undefined) deleteRow(pipeline, table, only);
    else executeMany(pipeline, table, deleteRowsStatement(table), 'delete', table.key, slice);
    await pipeline.breathe();
  }
}

function executeMany(
  pipeline: Pipeline,
  table: TargetTable,
  statement: Statement,
  action: 'update' | 'delete',
  columns: number[],
  rows: Tuple[],
): void {
  pipeline.execute(statement, { action, table, rows: rows.length }, (writer) => {
    for (const column of columns) {
      const bulk = table.columns[column]?.bulk;
      const start = writer.lengthToCome();
      writeArray(writer, rows, column, bulk?.kind === 'array' ? bulk.delimiter : undefined);
      writer.fillLength(start);
    }
  });
}

/** Rows in which the same columns were sent can share a statement. */
function bySentColumns(table: TargetTable, rows: Tuple[]): { set: number[]; rows: Tuple[] }[] {
  const [first] = rows;
  if (first !== undefined && !rows.some(({ hasUnchanged }) => hasUnchanged)) {
    return [{ set: columnsToSet(table, first), rows }];
  }
  const groups = new Map<string, { set: number[]; rows: Tuple[] }>();
  for (const row of rows) {
    const name = unchangedColumns(row);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { set: columnsToSet(table, row), rows: [row] });
    else group.rows.push(row);
  }
  return [...groups.values()];
}

function unchangedColumns(row: Tuple): string {
  let name = '';
  for (let column = 0; column < row.length; column++) if (row.isUnchanged(column)) name += `${column},`;
  return name;
}

/** Cuts rows into what one statement takes; a slice of one is written by a statement of its own kind. */
function slicesOf(table: TargetTable, columns: number[], rows: Tuple[]): Tuple[][] {
  if (columns.some((column) => table.columns[column]?.bulk.kind === 'none')) return rows.map((row) => [row]);
  const slices: Tuple[][] = [];
  let slice: Tuple[] = [];
  let bytes = 0;
  for (const row of rows) {
    const more = row.size;
    if (more > BYTES_OF_HUGE_ROW) {
      slices.push([row]);
      continue;
    }
    if (bytes + more > STATEMENT_BYTES) {
      slices.push(slice);
      slice = [];
      bytes = 0;
    }
    slice.push(row);
    bytes += more;
  }
  if (slice.length > 0) slices.push(slice);
  return slices;
}
