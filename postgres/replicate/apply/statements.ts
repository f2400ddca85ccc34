import type { Statement } from './pipeline';
import { areEqual, assignments, columnsAt, isEqual, nameList, statementOf, typesOf } from './statement-parts';
import { bulkParameter, type TargetColumn, type TargetTable } from './target-table';

/** Without a list COPY takes all columns but generated ones: that is how a table without any gets its rows. */
export function copyStatement(table: TargetTable): Statement {
  return statementOf(table, 'copy', () => {
    const list = table.columns.length === 0 ? '' : ` (${nameList(table)})`;
    return { sql: `COPY ${table.name}${list} FROM STDIN`, parameters: [] };
  });
}

/** Parameters: the row. */
export function insertRowStatement(table: TargetTable): Statement {
  return statementOf(table, 'insert', () => {
    const values = table.columns.map((_, index) => `$${index + 1}`).join(', ');
    const row =
      table.columns.length === 0
        ? 'DEFAULT VALUES'
        : `(${nameList(table)}) OVERRIDING SYSTEM VALUE VALUES (${values})`;
    return { sql: `INSERT INTO ${table.name} ${row}`, parameters: typesOf(table.columns) };
  });
}

/** Parameters: the columns of `set`, then those of `match`. */
export function updateRowStatement(table: TargetTable, set: number[], match: number[]): Statement {
  return statementOf(table, `update ${set.join()} where ${match.join()}`, () => ({
    sql:
      `UPDATE ONLY ${table.name} AS t SET ${assignments(table, set, (index) => `$${index + 1}`)}` +
      ` WHERE ${areEqual(columnsAt(table, match), set.length)}`,
    parameters: typesOf(columnsAt(table, [...set, ...match])),
  }));
}

/** For an identity that UPDATE must not set. Parameters: the columns of `set`, then the key. */
export function replaceRowStatement(table: TargetTable, set: number[]): Statement {
  return statementOf(table, `replace ${set.join()}`, () => ({
    sql: replacement(table, set, areEqual(columnsAt(table, table.key), set.length)),
    parameters: typesOf(columnsAt(table, [...set, ...table.key])),
  }));
}

/** Deletes a row and inserts it with other values. */
export function replacement(table: TargetTable, set: number[], condition: string): string {
  const values = table.columns.map((column, position) => {
    const index = set.indexOf(position);
    return index < 0 ? `gone.${column.name}` : `$${index + 1}`;
  });
  return (
    `WITH gone AS (DELETE FROM ONLY ${table.name} AS t WHERE ${condition} RETURNING *)` +
    ` INSERT INTO ${table.name} (${nameList(table)}) OVERRIDING SYSTEM VALUE SELECT ${values.join(', ')} FROM gone`
  );
}

/** Parameters: the key. */
export function deleteRowStatement(table: TargetTable): Statement {
  return statementOf(table, 'delete', () => ({
    sql: `DELETE FROM ONLY ${table.name} AS t WHERE ${areEqual(columnsAt(table, table.key), 0)}`,
    parameters: typesOf(columnsAt(table, table.key)),
  }));
}

/** Parameters: for each column of `set` and then of `match` an array of its values in all rows. */
export function updateRowsStatement(table: TargetTable, set: number[], match: number[]): Statement {
  return statementOf(table, `update many ${set.join()}`, () => {
    const columns = columnsAt(table, [...set, ...match]);
    return {
      sql:
        `UPDATE ONLY ${table.name} AS t SET ${assignments(table, set, (index) => `v.c${index}`)}` +
        ` FROM ${valuesOf(columns)} WHERE ${joinOn(columnsAt(table, match), set.length)}`,
      parameters: columns.map((column) => bulkParameter(column.bulk)),
    };
  });
}

/** Parameters: for each column of the key an array of its values in all rows. */
export function deleteRowsStatement(table: TargetTable): Statement {
  return statementOf(table, 'delete many', () => {
    const columns = columnsAt(table, table.key);
    return {
      sql: `DELETE FROM ONLY ${table.name} AS t USING ${valuesOf(columns)} WHERE ${joinOn(columns, 0)}`,
      parameters: columns.map((column) => bulkParameter(column.bulk)),
    };
  });
}

export function truncateStatement(tables: TargetTable[]): Statement {
  return { sql: `TRUNCATE ${tables.map((table) => `ONLY ${table.name}`).join(', ')}`, parameters: [] };
}

export function deleteAllStatement(table: TargetTable): Statement {
  return { sql: `DELETE FROM ONLY ${table.name}`, parameters: [] };
}

/** Set-returning functions in the select list go in step; in FROM they would take composites apart. */
function valuesOf(columns: TargetColumn[]): string {
  const items = columns.map(({ bulk }, index) => {
    const cast = bulk.kind === 'text' ? `::${bulk.cast}` : '';
    return `pg_catalog.unnest($${index + 1})${cast} AS c${index}`;
  });
  return `(SELECT ${items.join(', ')}) AS v`;
}

function joinOn(columns: TargetColumn[], columnsBefore: number): string {
  return columns.map((column, index) => isEqual(column, `v.c${columnsBefore + index}`)).join(' AND ');
}
