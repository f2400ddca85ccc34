import type { Tuple } from '../pgoutput';

/**
 * Names a row among those of its table that are there at the same time: the texts of its key's columns as one string, a
 * character for each byte; a lone text that is a whole number's own is that number, which is cheaper to keep.
 */
export type RowKey = string | number;

/** No text of PostgreSQL holds it. */
const SEPARATOR = '\0';

/** So long a number is exact. */
const MOST_DIGITS = 15;
const ZERO = 0x30;

/** `undefined` where a column was not sent. */
export function keyOf(row: Tuple, key: number[]): RowKey | undefined {
  const [first] = key;
  if (key.length === 1 && first !== undefined) return row.isText(first) ? keyOfOne(row, first) : undefined;
  let joined = '';
  for (const column of key) {
    // a null is part of no key
    if (!row.isText(column)) return undefined;
    joined += textOf(row, row.start(column), row.end(column)) + SEPARATOR;
  }
  return joined;
}

/** The texts that {@link keyOf} joined. */
export function keyTexts(key: RowKey, columns: number): string[] {
  if (typeof key === 'number') return [String(key)];
  if (columns === 1) return [utf8Of(key)];
  return key.slice(0, -SEPARATOR.length).split(SEPARATOR).map(utf8Of);
}

function keyOfOne(row: Tuple, column: number): RowKey {
  const [start, end] = [row.start(column), row.end(column)];
  return numberOf(row.bytes, start, end) ?? textOf(row, start, end);
}

/** Only what is the number's own text: two texts are never one number. */
function numberOf(bytes: Buffer, start: number, end: number): number | undefined {
  const digits = end - start;
  if (digits === 0 || digits > MOST_DIGITS || (digits > 1 && bytes[start] === ZERO)) return undefined;
  let number = 0;
  for (let position = start; position < end; position++) {
    const digit = (bytes[position] as number) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return number;
}

function textOf({ bytes }: Tuple, start: number, end: number): string {
  return bytes.toString('latin1', start, end);
}

function utf8Of(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
