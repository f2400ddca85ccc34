import type { Client } from 'pg';
import { hashExpression, type ColumnDescription } from '../compare';
import type { KeyValues } from './changed-keys';
import { lookUp, type KeyColumn } from './identity-key';

export interface ChangedRowsArguments {
  source: Client;
  target: Client;
  table: { schema: string; name: string };
  columns: ColumnDescription[];
  key: KeyColumn[];
  keys: KeyValues[];
  signal: AbortSignal;
}

export interface ChangedRowsComparison {
  differing: number;
  /** The first of them, as lines for a report: `id = 7 (only on source)`. */
  keys: string[];
  /** Of the rows' hashes. */
  sourceSum: bigint;
  targetSum: bigint;
}

const KEYS_PER_STATEMENT = 5_000;
const KEYS_NAMED = 10;
const CHARACTERS_NAMED = 100;

/** Looks rows up by their keys on both sides and compares them. A row that is on neither side is equal. */
export async function compareChangedRows(args: ChangedRowsArguments): Promise<ChangedRowsComparison> {
  const { source, target, key, keys, signal } = args;
  const statement = lookUpStatement(args);
  const result: ChangedRowsComparison = { differing: 0, keys: [], sourceSum: 0n, targetSum: 0n };
  for (let start = 0; start < keys.length; start += KEYS_PER_STATEMENT) {
    signal.throwIfAborted();
    const chunk = keys.slice(start, start + KEYS_PER_STATEMENT);
    const [onSource, onTarget] = await Promise.all([
      rowsOf(source, statement, chunk),
      rowsOf(target, statement, chunk),
    ]);
    for (const [index, values] of chunk.entries()) {
      const [there, here] = [onSource[index] ?? ABSENT, onTarget[index] ?? ABSENT];
      result.sourceSum += there.sum;
      result.targetSum += here.sum;
      if (there.count === here.count && there.sum === here.sum) continue;
      result.differing += 1;
      if (result.keys.length < KEYS_NAMED)
        result.keys.push(`${label(key, values)} (${stateOf(there, here)})`);
    }
  }
  return result;
}

/** The rows with one key: one or none, unless a side lacks its unique index. */
interface Found {
  count: number;
  sum: bigint;
}

const ABSENT: Found = { count: 0, sum: 0n };

/** Columns' names stand in the inner query, where those of its own table come first. */
function lookUpStatement({ table, columns, key }: ChangedRowsArguments): string {
  const { from, condition } = lookUp(table, key);
  const types = key.map((column, index) => `c${index} ${column.readAs}`);
  return `
    SELECT (SELECT pg_catalog.concat(pg_catalog.count(*), ' ', coalesce(pg_catalog.sum(${hashExpression(columns)}), 0))
              FROM ${from}
             WHERE ${condition}) AS found
      FROM pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb) AS k("index" pg_catalog.int4, ${types.join(', ')})
     ORDER BY k."index"`;
}

async function rowsOf(client: Client, statement: string, keys: KeyValues[]): Promise<Found[]> {
  const records = keys.map((values, index) => ({
    index,
    ...Object.fromEntries(values.map((value, position) => [`c${position}`, value])),
  }));
  const { rows } = await client.query<{ found: string }>(statement, [JSON.stringify(records)]);
  return rows.map(({ found }) => {
    const [count = '0', sum = '0'] = found.split(' ');
    return { count: Number(count), sum: BigInt(sum) };
  });
}

function stateOf(source: Found, target: Found): string {
  if (target.count === 0) return 'only on source';
  return source.count === 0 ? 'only on target' : 'differs';
}

function label(key: KeyColumn[], values: KeyValues): string {
  return key
    .map(({ name }, index) => `${name} = ${(values[index] ?? '').slice(0, CHARACTERS_NAMED)}`)
    .join(', ');
}
