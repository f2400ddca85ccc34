import type { Value } from '../pgoutput';
import type { MessageWriter } from './message-writer';

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPENING = 0x7b;
const CLOSING = 0x7d;
const TAB = 0x09;
const LINE_FEED = 0x0a;

/** What stands behind the backslash for a byte that COPY's text format takes for something else; 0: nothing. */
const COPY_ESCAPES = new Uint8Array(256);
COPY_ESCAPES[BACKSLASH] = BACKSLASH;
COPY_ESCAPES[TAB] = 't'.charCodeAt(0);
COPY_ESCAPES[LINE_FEED] = 'n'.charCodeAt(0);
COPY_ESCAPES[0x0d] = 'r'.charCodeAt(0);

/** https://www.postgresql.org/docs/current/sql-copy.html, "Text Format" */
export function writeCopyRow(writer: MessageWriter, row: Value[]): void {
  for (let index = 0; index < row.length; index++) {
    if (index > 0) writer.byte(TAB);
    writeCopyValue(writer, row[index]);
  }
  writer.byte(LINE_FEED);
}

function writeCopyValue(writer: MessageWriter, value: Value | undefined): void {
  if (!Buffer.isBuffer(value)) {
    writer.byte(BACKSLASH);
    writer.byte('N'.charCodeAt(0));
    return;
  }
  writer.reserve(value.length * 2);
  const { buffer } = writer;
  let { end } = writer;
  for (let index = 0; index < value.length; index++) {
    const byte = value[index] as number;
    const escape = COPY_ESCAPES[byte] as number;
    if (escape === 0) {
      buffer[end++] = byte;
    } else {
      buffer[end++] = BACKSLASH;
      buffer[end++] = escape;
    }
  }
  writer.end = end;
}

/** One column of all rows as one array. https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
export function writeArray(writer: MessageWriter, rows: Value[][], column: number, delimiter = COMMA): void {
  writer.byte(OPENING);
  for (let index = 0; index < rows.length; index++) {
    if (index > 0) writer.byte(delimiter);
    writeElement(writer, rows[index]?.[column]);
  }
  writer.byte(CLOSING);
}

function writeElement(writer: MessageWriter, value: Value | undefined): void {
  if (!Buffer.isBuffer(value)) {
    writer.reserve(4);
    writer.end += writer.buffer.write('NULL', writer.end, 'latin1');
    return;
  }
  writer.reserve(value.length * 2 + 2);
  const { buffer } = writer;
  let { end } = writer;
  buffer[end++] = QUOTE;
  for (let index = 0; index < value.length; index++) {
    const byte = value[index] as number;
    if (byte === BACKSLASH || byte === QUOTE) buffer[end++] = BACKSLASH;
    buffer[end++] = byte;
  }
  buffer[end++] = QUOTE;
  writer.end = end;
}
