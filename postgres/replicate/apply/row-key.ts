import { UNCHANGED, type Tuple } from '../pgoutput';

/** No text of PostgreSQL holds it. */
const SEPARATOR = '\0';

/**
 * The texts of the key's columns as one string, a character for each byte. Rows that are there at the same time differ
 * in it; `undefined` where a column was not sent.
 */
export function keyOf(row: Tuple, key: number[]): string | undefined {
  const [first] = key;
  if (key.length === 1 && first !== undefined) return textOf(row, first);
  let joined = '';
  for (const position of key) {
    const text = textOf(row, position);
    if (text === undefined) return undefined;
    joined += text + SEPARATOR;
  }
  return joined;
}

function textOf(row: Tuple, position: number): string | undefined {
  const value = row[position];
  // a null is part of no key
  if (value === undefined || value === null || value === UNCHANGED) return undefined;
  return value.toString('latin1');
}

/** The texts that {@link keyOf} joined. */
export function keyTexts(joined: string, columns: number): string[] {
  if (columns === 1) return [utf8Of(joined)];
  return joined.slice(0, -SEPARATOR.length).split(SEPARATOR).map(utf8Of);
}

function utf8Of(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
