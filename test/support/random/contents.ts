import type { Client } from 'pg';
import { SOURCE_OBJECT_PATTERN } from '../../../contract';
import { withSession, type Major } from '../servers';

/** Each table's and each sequence's rows, sorted, and all large objects: by plain SQL, without anything of the product. */
export type Contents = Record<string, string[]>;

/** Differing rows that are shown of each side. */
const SHOWN = 5;

/** Before 12 these are printed in another way. */
const FLOATS = /double|real|float|point|lseg|line|box|path|polygon|circle|cube/;
const NUMBERS = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/g;

interface Relation {
  oid: number;
  name: string;
  kind: string;
}

export async function contentsOf(major: Major, database: string): Promise<Contents> {
  return await withSession(major, database, async (client) => {
    await client.query(`BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ;
      SET LOCAL extra_float_digits = 3; SET LOCAL TimeZone = 'UTC'; SET LOCAL statement_timeout = 0;
      SET LOCAL search_path = public`);
    const relations = await client.query<Relation>(
      `SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'S') AND n.nspname !~ '^(pg_|information_schema$|flexlift$)' AND n.nspname !~ $1
        ORDER BY 2`,
      [SOURCE_OBJECT_PATTERN],
    );
    const contents: Contents = { 'large objects': await largeObjects(client) };
    for (const relation of relations.rows) contents[relation.name] = await rowsOf(client, relation);
    return contents;
  });
}

/** One line for each relation that is not the same on both sides; rows that are on one side alone are shown. */
export function differencesOf(source: Contents, target: Contents): string[] {
  const names = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return names.flatMap((name) => {
    const [here, there] = [source[name], target[name]];
    if (here === undefined || there === undefined) return [`${name} is on one side only`];
    const [missing, surplus] = [without(here, there), without(there, here)];
    if (missing.length === 0 && surplus.length === 0) return [];
    return [
      `${name}: ${here.length} rows on the source, ${there.length} on the target;` +
        ` missing: ${shown(missing)}; too many: ${shown(surplus)}`,
    ];
  });
}

async function rowsOf(client: Client, { oid, name, kind }: Relation): Promise<string[]> {
  const { rows: columns } = await client.query<{ name: string; type: string }>(
    `SELECT quote_ident(attname) AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
      WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attname`,
    [oid],
  );
  // the number of the next WAL record of a sequence is its server's own
  const told = columns.filter((column) => kind === 'r' || column.name !== 'log_cnt');
  const list = told.map((column) => `${column.name}::text`).join(', ');
  const { rows } = await client.query<(string | null)[]>({
    text: `SELECT ${list} FROM ${kind === 'r' ? 'ONLY' : ''} ${name}`,
    rowMode: 'array',
  });
  const texts = rows.map((row) =>
    JSON.stringify(
      row.map((value, at) => {
        const type = told[at]?.type ?? '';
        return value !== null && FLOATS.test(type) ? canonical(value, type) : value;
      }),
    ),
  );
  return texts.sort();
}

function canonical(value: string, type: string): string {
  return value.replace(NUMBERS, (number) => {
    const parsed = type.startsWith('real') ? Math.fround(Number(number)) : Number(number);
    return Object.is(parsed, -0) ? '-0' : String(parsed);
  });
}

async function largeObjects(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT m.oid || ' ' || COALESCE(string_agg(md5(l.data), ',' ORDER BY l.pageno), '') AS text
       FROM pg_largeobject_metadata m LEFT JOIN pg_largeobject l ON l.loid = m.oid GROUP BY m.oid ORDER BY 1`,
  );
  return rows.map(({ text }) => text);
}

/** As multisets. */
function without(rows: string[], others: string[]): string[] {
  const counts = new Map<string, number>();
  for (const row of others) counts.set(row, (counts.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const left = counts.get(row) ?? 0;
    counts.set(row, left - 1);
    return left <= 0;
  });
}

function shown(rows: string[]): string {
  const first = rows.slice(0, SHOWN).map((row) => (row.length > 300 ? `${row.slice(0, 300)}…` : row));
  return `${rows.length}${first.length > 0 ? ` (${first.join(' ')})` : ''}`;
}
