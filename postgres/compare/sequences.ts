import type { Client } from 'pg';
import type { Difference } from '../../contract';
import { isNoExtensionsOwn, isUsersSchema } from '../catalog';
import { quoteQualified } from '../connect';

export interface SequenceState {
  /** Quoted, schema-qualified. */
  name: string;
  /** Bigints as text. */
  lastValue: string;
  /** False: the next value is `lastValue` itself. */
  isCalled: boolean;
  increment: string;
  /** Type, start, bounds, increment, cycle and cache, as CREATE SEQUENCE would name them. */
  parameters: string;
}

interface SequenceRow {
  schema: string;
  name: string;
  increment: string;
  parameters: string;
}

/** Sequences read by one statement. */
const BATCH = 200;

/**
 * All sequences of a database and where they stand: owned, identity and standalone ones. Members of an extension only
 * where the extension declares them as configuration; ours never.
 */
export async function readSequences(client: Client, signal: AbortSignal): Promise<SequenceState[]> {
  const { rows } = await client.query<SequenceRow>(SEQUENCES_QUERY);
  const states: SequenceState[] = [];
  for (let start = 0; start < rows.length; start += BATCH) {
    signal.throwIfAborted();
    states.push(...(await readBatch(client, rows.slice(start, start + BATCH))));
  }
  return states;
}

const SEQUENCES_QUERY = `
  SELECT n.nspname AS schema, c.relname AS name, s.seqincrement AS increment,
         pg_catalog.concat('AS ', pg_catalog.format_type(s.seqtypid, NULL), ' START ', s.seqstart,
                           ' INCREMENT ', s.seqincrement, ' MINVALUE ', s.seqmin, ' MAXVALUE ', s.seqmax,
                           ' CACHE ', s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END) AS parameters
    FROM pg_catalog.pg_sequence s
    JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'flexlift') AND ${isUsersSchema('n.nspname')}
     AND c.relpersistence <> 't'
     AND ${isNoExtensionsOwn('c')}
   ORDER BY n.nspname, c.relname`;

async function readBatch(client: Client, batch: SequenceRow[]): Promise<SequenceState[]> {
  const values = batch.map(
    (row, index) =>
      `SELECT ${index} AS index, last_value, is_called FROM ${quoteQualified(row.schema, row.name)}`,
  );
  const { rows } = await client.query<{ index: number; last_value: string; is_called: boolean }>(
    values.join(' UNION ALL '),
  );
  const found = new Map(rows.map((row) => [row.index, row]));
  return batch.map((row, index) => {
    const value = found.get(index);
    if (value === undefined) throw new Error(`sequence ${quoteQualified(row.schema, row.name)} has no row`);
    return {
      name: quoteQualified(row.schema, row.name),
      lastValue: value.last_value,
      isCalled: value.is_called,
      increment: row.increment,
      parameters: row.parameters,
    };
  });
}

/** Compares by name; a sequence that has not the source's next value is named, and in which direction it is off. */
export function compareSequences(source: SequenceState[], target: SequenceState[]): Difference[] {
  const onTarget = new Map(target.map((state) => [state.name, state]));
  const onSource = new Set(source.map((state) => state.name));
  const missing = target.filter((state) => !onSource.has(state.name));
  return [
    ...source.flatMap((state) => differencesOf(state, onTarget.get(state.name))),
    ...missing.map((state) => difference(state, 'The sequence exists on the target only.')),
  ];
}

function differencesOf(source: SequenceState, target: SequenceState | undefined): Difference[] {
  if (target === undefined) return [difference(source, 'The sequence is missing on the target.')];
  const found: Difference[] = [];
  if (source.parameters !== target.parameters) {
    const sides = `source ${source.parameters}; target ${target.parameters}`;
    found.push(difference(source, `The sequence's parameters differ: ${sides}.`));
  }
  if (source.lastValue !== target.lastValue || source.isCalled !== target.isCalled) {
    const sides = `source ${position(source)}, target ${position(target)}`;
    found.push(difference(source, `The sequence is ${direction(source, target)} on the target: ${sides}.`));
  }
  return found;
}

function direction(source: SequenceState, target: SequenceState): string {
  const ahead = BigInt(target.lastValue) - BigInt(source.lastValue);
  const steps = BigInt(source.increment) < 0n ? -ahead : ahead;
  if (steps === 0n) return target.isCalled ? 'ahead' : 'behind';
  return steps > 0n ? 'ahead' : 'behind';
}

function position(state: SequenceState): string {
  return state.isCalled ? state.lastValue : `${state.lastValue} (not called)`;
}

function difference(state: SequenceState, message: string): Difference {
  return { kind: 'sequence', object: state.name, message };
}
