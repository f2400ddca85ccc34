import type { Tuple } from '../pgoutput';
import type { Statement } from './pipeline';
import { assignments, columnsAt, isEqual, statementOf, typesOf } from './statement-parts';
import { replacement } from './statements';
import type { TargetColumn, TargetTable } from './target-table';

/** Exactly one of the rows that are equal to `old`. Parameters: the columns of `set`, then the whole old row. */
export function updateEqualRowStatement(table: TargetTable, set: number[], old: Tuple): Statement {
  return statementOf(table, `update equal ${set.join()} ${nullsOf(table, old)}`, () => ({
    sql:
      `UPDATE ONLY ${table.name} AS t SET ${assignments(table, set, (index) => `$${index + 1}`)}` +
      ` WHERE t.ctid = ${oneEqualRow(table, old, set.length)}`,
    parameters: typesOf([...columnsAt(table, set), ...table.columns]),
  }));
}

/** The same for an identity that UPDATE must not set. */
export function replaceEqualRowStatement(table: TargetTable, set: number[], old: Tuple): Statement {
  return statementOf(table, `replace equal ${set.join()} ${nullsOf(table, old)}`, () => ({
    sql: replacement(table, set, `t.ctid = ${oneEqualRow(table, old, set.length)}`),
    parameters: typesOf([...columnsAt(table, set), ...table.columns]),
  }));
}

/** Exactly one of the rows that are equal to `old`. Parameters: the whole old row. */
export function deleteEqualRowStatement(table: TargetTable, old: Tuple): Statement {
  return statementOf(table, `delete equal ${nullsOf(table, old)}`, () => ({
    sql: `DELETE FROM ONLY ${table.name} AS t WHERE t.ctid = ${oneEqualRow(table, old, 0)}`,
    parameters: typesOf(table.columns),
  }));
}

/** Record image equality finds what `=` does not tell apart or does not know; an index narrows it where there is one. */
function oneEqualRow(table: TargetTable, old: Tuple, parametersBefore: number): string {
  const parameter = (index: number) => `$${parametersBefore + index + 1}`;
  const conditions = table.columns.flatMap((column, index) => {
    if (column.equality === undefined) return [];
    return [old.isText(index) ? isEqual(column, parameter(index)) : `t.${column.name} IS NULL`];
  });
  if (table.columns.length > 0) {
    const stored = table.columns.map((column) => imageOf(column, `t.${column.name}`)).join(', ');
    const sent = table.columns.map((column, index) => imageOf(column, parameter(index))).join(', ');
    // the casts keep the parser from comparing column by column
    const [left, right] = [stored, sent].map((columns) => `ROW(${columns})::pg_catalog.record`);
    conditions.push(`${left} OPERATOR(pg_catalog.*=) ${right}`);
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  return `(SELECT t.ctid FROM ONLY ${table.name} AS t${where} LIMIT 1)`;
}

function imageOf(column: TargetColumn, value: string): string {
  return column.comparesAsText ? `${value}::pg_catalog.text` : value;
}

/** Null is found by another condition, so that an index can find it. */
function nullsOf(table: TargetTable, row: Tuple): string {
  return table.columns
    .flatMap((column, index) => (column.equality !== undefined && row.isText(index) ? [] : [index]))
    .join();
}
