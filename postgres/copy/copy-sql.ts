import { quoteIdentifier, quoteLiteral, quoteQualified } from '../connect';
import { chooseFormat, type CopyFormat } from './copy-format';
import { schemaDrift } from './schema-drift';
import type { CopyColumn, CopyTable } from './table-columns';

/** Which rows of the table a statement copies. */
export interface RowRange {
  /** The key's column; absent: the range is one of `ctid`. */
  column?: string;
  /** Inclusive; a ctid or the key as text. Absent: from the first row on. */
  from?: string;
  /** Exclusive. Absent: to the last row. */
  to?: string;
}

export interface CopyStatements {
  format: CopyFormat;
  copyTo: string;
  copyFrom: string;
}

/**
 * @param rows `undefined`: all of them; text: a WHERE clause as it is
 * @param freeze only where the table was truncated in the same transaction
 */
export function copyStatements(
  source: CopyTable,
  target: CopyTable,
  rows: RowRange | string | undefined,
  freeze: boolean,
): CopyStatements {
  const { format, encoding } = wireOf(source, target);
  const options = `FORMAT ${format}${encoding === undefined ? '' : `, ENCODING ${quoteLiteral(encoding)}`}`;
  const where = typeof rows === 'object' ? rangeCondition(source, rows) : (rows ?? '');
  return {
    format,
    copyTo: `COPY ${sourceRows(source, where)} TO STDOUT WITH (${options})`,
    copyFrom: `COPY ${tableWithColumns(target)} FROM STDIN WITH (${options}${freeze ? ', FREEZE' : ''})`,
  };
}

/**
 * Databases of one and the same encoding other than UTF8 exchange its bytes unconverted, so that a conversion can
 * neither fail nor change a byte; only the text format can be told so while the driver goes on to write its statements
 * in UTF8. In all other cases the sessions' client_encoding, UTF8, is what both sides speak.
 */
function wireOf(source: CopyTable, target: CopyTable): { format: CopyFormat; encoding?: string } {
  if (source.encoding === target.encoding && source.encoding !== 'UTF8') {
    return { format: 'text', encoding: source.encoding };
  }
  const types = (table: CopyTable) => table.columns.map((column) => column.type);
  return { format: chooseFormat(types(source), types(target)) };
}

/** A table's plain form is the faster one, and leaves its children out as `ONLY` does. */
function sourceRows(table: CopyTable, where: string): string {
  if (where === '') return tableWithColumns(table);
  return `(SELECT ${columnList(table.columns)} FROM ONLY ${quoteQualified(table.schema, table.name)} ${where})`;
}

/** Without a list COPY takes all columns but generated ones: that is how a table without any keeps its rows. */
function tableWithColumns(table: CopyTable): string {
  const name = quoteQualified(table.schema, table.name);
  return table.columns.length === 0 ? name : `${name} (${columnList(table.columns)})`;
}

function columnList(columns: CopyColumn[]): string {
  return columns.map((column) => quoteIdentifier(column.name)).join(', ');
}

function rangeCondition(table: CopyTable, { column, from, to }: RowRange): string {
  const key = column === undefined ? 'ctid' : quoteIdentifier(column);
  const type = column === undefined ? 'tid' : typeName(table, column);
  const bound = (value: string) => `${quoteLiteral(value)}::${quoteQualified('pg_catalog', type)}`;
  const conditions = [
    ...(from === undefined ? [] : [`${key} >= ${bound(from)}`]),
    ...(to === undefined ? [] : [`${key} < ${bound(to)}`]),
  ];
  return conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
}

function typeName(table: CopyTable, name: string): string {
  const column = table.columns.find((each) => each.name === name);
  if (column !== undefined) return column.type.name;
  const object = quoteQualified(table.schema, table.name);
  throw schemaDrift(`The column ${quoteIdentifier(name)}, by which the table is copied in parts, is gone.`, {
    side: 'source',
    object,
  });
}
