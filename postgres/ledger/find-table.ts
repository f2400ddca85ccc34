import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteQualified } from '../connect';
import { tableLoads, type TableLoad } from './table-load';

const CANDIDATES = 5;

const PART = '"(?:[^"]|"")+"|[^".\\s]+';
const NAME = new RegExp(`^\\s*(?:(${PART})\\s*\\.\\s*)?(${PART})\\s*$`);

/**
 * The table that a person named: `orders`, `sales.orders`, `"Sales"."Order lines"`. Where PostgreSQL's own reading of the
 * name, which folds what is not quoted, finds none, the name is taken as it stands.
 *
 * @throws FlexliftError InvalidRequest where it is unknown or may be several; names candidates
 */
export async function findTable(target: Client, text: string): Promise<TableLoad> {
  const tables = await tableLoads(target);
  const found = matching(tables, text);
  const [first, ...others] = found;
  if (first === undefined) throw unknown(text, similar(tables, text));
  if (others.length > 0) throw ambiguous(text, found);
  return first;
}

function matching(tables: TableLoad[], text: string): TableLoad[] {
  const [, schema, name] = NAME.exec(text) ?? [];
  const read = tables.filter(
    (table) =>
      name !== undefined &&
      table.name === identifier(name) &&
      (schema === undefined || table.schema === identifier(schema)),
  );
  if (read.length > 0) return read;
  return tables.filter((table) => text === table.name || text === `${table.schema}.${table.name}`);
}

/** PostgreSQL folds ASCII letters only where the encoding has more than one byte. */
function identifier(part: string): string {
  if (part.startsWith('"')) return part.slice(1, -1).replaceAll('""', '"');
  return part.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function similar(tables: TableLoad[], text: string): TableLoad[] {
  const plain = (part: string) => part.replaceAll('"', '').toLowerCase();
  const wanted = plain(text);
  const last = wanted.split('.').at(-1) ?? wanted;
  const isSame = (table: TableLoad) => plain(table.name) === last;
  const isLike = (table: TableLoad) =>
    last !== '' && (plain(table.name).includes(last) || last.includes(plain(table.name)));
  return [...tables.filter(isSame), ...tables.filter((table) => !isSame(table) && isLike(table))];
}

function unknown(text: string, candidates: TableLoad[]): FlexliftError {
  return new FlexliftError({
    code: 'InvalidRequest',
    sentence: `The migration has no table ${JSON.stringify(text)}.`,
    remedy:
      candidates.length === 0
        ? 'Name it with its schema, as in sales.orders.'
        : `Perhaps one of these is meant: ${listed(candidates)}.`,
  });
}

function ambiguous(text: string, candidates: TableLoad[]): FlexliftError {
  return new FlexliftError({
    code: 'InvalidRequest',
    sentence: `The name ${JSON.stringify(text)} fits ${candidates.length} tables: ${listed(candidates)}.`,
    remedy: 'Name it with its schema, in double quotes where it is not all lower case.',
  });
}

function listed(tables: TableLoad[]): string {
  return tables
    .slice(0, CANDIDATES)
    .map((table) => quoteQualified(table.schema, table.name))
    .join(', ');
}
