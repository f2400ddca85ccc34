import type { Statement } from './pipeline';
import type { ColumnEquality, TargetColumn, TargetTable } from './target-table';

/** An update's columns and their nulls make statements of their own: a table that varies must not pile them up. */
const MOST_STATEMENTS = 500;

/** The statements of a table are made once; `what` names one among them. */
export function statementOf(table: TargetTable, what: string, make: () => Statement): Statement {
  const { statements } = table;
  const known = statements.get(what);
  if (known !== undefined) return known;
  if (statements.size >= MOST_STATEMENTS) statements.clear();
  const statement = make();
  statements.set(what, statement);
  return statement;
}

/**
 * The SET clause of a table called `t`. Where there is nothing to set, one column stays as it is: the row has to be there
 * all the same.
 *
 * @param valueOf by the position in `set`
 */
export function assignments(table: TargetTable, set: number[], valueOf: (index: number) => string): string {
  if (set.length > 0) {
    return columnsAt(table, set)
      .map((column, index) => `${column.name} = ${valueOf(index)}`)
      .join(', ');
  }
  const column = table.columns.find((each) => !each.isAlwaysGenerated);
  if (column === undefined) throw new Error('no column of the table can be set');
  return `${column.name} = t.${column.name}`;
}

export function isEqual(column: TargetColumn, value: string): string {
  const { operator, collation, cast }: ColumnEquality = column.equality ?? {
    operator: 'OPERATOR(pg_catalog.=)',
  };
  const as = cast === undefined ? '' : `::${cast}`;
  const collate = collation === undefined ? '' : ` COLLATE ${collation}`;
  return `t.${column.name}${as}${collate} ${operator} ${value}${as}`;
}

/** @param parametersBefore how many parameters stand before those of the columns */
export function areEqual(columns: TargetColumn[], parametersBefore: number): string {
  return columns.map((column, index) => isEqual(column, `$${parametersBefore + index + 1}`)).join(' AND ');
}

export function nameList(table: TargetTable): string {
  return table.columns.map((column) => column.name).join(', ');
}

export function columnsAt(table: TargetTable, positions: number[]): TargetColumn[] {
  return positions.flatMap((position) => table.columns[position] ?? []);
}

export function typesOf(columns: TargetColumn[]): number[] {
  return columns.map((column) => column.type);
}
