import type { Tuple } from '../pgoutput';
import type { MessageWriter } from './message-writer';

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING = 0x7b;
const CLOSING = 0x7d;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const LETTER_N = 'N'.charCodeAt(0);

/** What stands behind the backslash for a byte that COPY's text format takes for something else; 0: nothing. */
const COPY_ESCAPES = new Uint8Array(256);
COPY_ESCAPES[BACKSLASH] = BACKSLASH;
COPY_ESCAPES[TAB] = 't'.charCodeAt(0);
COPY_ESCAPES[LINE_FEED] = 'n'.charCodeAt(0);
COPY_ESCAPES[0x0d] = 'r'.charCodeAt(0);

/** https://www.postgresql.org/docs/current/sql-copy.html, "Text Format" */
export function writeCopyRow(writer: MessageWriter, row: Tuple): void {
  // each byte escaped, each column followed by a tab or the line's end, a null in two bytes
  writer.reserve(row.size * 2 + row.length * 3 + 1);
  for (let column = 0; column < row.length; column++) {
    if (column > 0) writer.buffer[writer.end++] = TAB;
    writeCopyValue(writer, row, column);
  }
  writer.buffer[writer.end++] = LINE_FEED;
}

function writeCopyValue(writer: MessageWriter, row: Tuple, column: number): void {
  const { buffer } = writer;
  let { end } = writer;
  if (row.isText(column)) {
    const { bytes } = row;
    const valueEnd = row.end(column);
    for (let position = row.start(column); position < valueEnd; position++) {
      const byte = bytes[position] as number;
      const escape = COPY_ESCAPES[byte] as number;
      if (escape === 0) {
        buffer[end++] = byte;
      } else {
        buffer[end++] = BACKSLASH;
        buffer[end++] = escape;
      }
    }
  } else {
    buffer[end++] = BACKSLASH;
    buffer[end++] = LETTER_N;
  }
  writer.end = end;
}

/** One column of all rows as one array. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
export function writeArray(writer: MessageWriter, rows: Tuple[], column: number, delimiter = COMMA): void {
  writer.byte(OPENING);
  for (let index = 0; index < rows.length; index++) {
    if (index > 0) writer.byte(delimiter);
    writeElement(writer, rows[index] as Tuple, column);
  }
  writer.byte(CLOSING);
}

function writeElement(writer: MessageWriter, row: Tuple, column: number): void {
  if (!row.isText(column)) {
    writer.reserve(4);
    writer.end += writer.buffer.write('NULL', writer.end, 'latin1');
    return;
  }
  const { bytes } = row;
  const [start, valueEnd] = [row.start(column), row.end(column)];
  writer.reserve((valueEnd - start) * 2 + 2);
  const { buffer } = writer;
  let { end } = writer;
  buffer[end++] = QUOTE;
  for (let position = start; position < valueEnd; position++) {
    const byte = bytes[position] as number;
    if (byte === BACKSLASH || byte === QUOTE) buffer[end++] = BACKSLASH;
    buffer[end++] = byte;
  }
  buffer[end++] = QUOTE;
  writer.end = end;
}
