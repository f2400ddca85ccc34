import { quoteIdentifier } from '../connect';
import type { ColumnDescription, TypeDescription } from './table-description';

/** Columns hashed in one chain; a longer list is cut, for a chain of 1,600 would exhaust the server's stack. */
const CHAIN_LENGTH = 64;
const SEED = '7205759403792794';
/** Turns a seed aside where the value is NULL. */
const NULL_MARK = '5871781006564002453';

/**
 * The SQL expression (a bigint) that hashes one row. Equal rows have equal hashes on PostgreSQL 11 to 18; a changed
 * value, scale (1.0, 1.00), trailing blank, NULL against '' or a swap of columns gives another hash but for 1 in 2^64.
 * The session must have the settings of `withConnection`, and both databases the same encoding.
 *
 * Nothing is concatenated: the hash of one column is the seed of the next, so that a row of several values of 900 MB
 * works. Every value goes to its hash in one of these canonical forms:
 * - integers as they are; character types as they are, blanks included;
 * - what is large (bytea, bit strings, arrays of built-in types) as the sha256 of its binary form;
 * - dates, times, floats, money and uuid as the hex of their binary form;
 * - types made of floats (geometric ones, cube) as the binary form of their numbers and the text around them, for
 *   the text of a float is its shortest exact form from 12 on and 17 digits before;
 * - user types that have such a type inside, part by part;
 * - all else as the text its output function gives.
 *
 * @param columns see `describeTable`; taken in the order of their names, for their `attnum` may differ between the
 *   sides. The names are used without an alias.
 */
export function hashExpression(columns: ColumnDescription[]): string {
  const values = columns.map((column) => ({ ...column, sql: quoteIdentifier(column.name) }));
  return hashOfValues(values.sort((a, b) => (a.name < b.name ? -1 : 1)));
}

interface Value {
  sql: string;
  type: TypeDescription;
}

function hashOfValues(values: Value[]): string {
  const chains: string[] = [];
  for (let start = 0; start === 0 || start < values.length; start += CHAIN_LENGTH) {
    const chain = values.slice(start, start + CHAIN_LENGTH);
    chains.push(chain.reduce((seed, value) => hashOfValue(value, seed), `${SEED}::pg_catalog.int8`));
  }
  if (chains.length === 1) return chains.join();
  return hashOfText(`pg_catalog.concat_ws(',', ${chains.join(', ')})`, SEED);
}

function hashOfValue(value: Value, seed: string): string {
  // IS NOT DISTINCT FROM NULL is a plain null test, also for a row whose fields are all NULL
  const mark = `CASE WHEN ${value.sql} IS NOT DISTINCT FROM NULL THEN ${NULL_MARK} ELSE 0 END`;
  return hashNotNull(withoutDomain(value), `(${seed} OPERATOR(pg_catalog.#) ${mark})`);
}

function hashNotNull({ sql, type }: Value, seed: string): string {
  switch (type.kind === 'builtin' ? type.name : undefined) {
    case 'bool':
    case 'int2':
    case 'int4':
    case 'char':
      return `pg_catalog.hashint4extended(coalesce(${sql}::pg_catalog.int4, 0), ${seed})`;
    case 'oid':
      return `pg_catalog.hashoidextended(coalesce(${sql}, 0::pg_catalog.oid), ${seed})`;
    case 'int8': {
      // hashint8extended folds both halves into one (-1 and 4294967295 collide), so the upper half has its own turn
      const lower = `pg_catalog.hashint8extended(coalesce(${sql}, 0), ${seed})`;
      return `pg_catalog.hashint8extended(coalesce(${sql}, 0) OPERATOR(pg_catalog.>>) 32, ${lower})`;
    }
    case 'text':
    case 'varchar':
      return hashOfText(`coalesce(${sql}::pg_catalog.text, '')`, seed);
    default:
      return hashOfText(canonicalText({ sql, type }), seed);
  }
}

function hashOfText(sql: string, seed: string): string {
  return `pg_catalog.hashtextextended((${sql}) COLLATE pg_catalog."C", ${seed})`;
}

/** Built-in types of fixed length without an OID inside. */
const SHORT_BINARY: Record<string, string> = {
  money: 'cash_send',
  date: 'date_send',
  time: 'time_send',
  timetz: 'timetz_send',
  timestamp: 'timestamp_send',
  timestamptz: 'timestamptz_send',
  interval: 'interval_send',
  uuid: 'uuid_send',
};
const FLOATS = ['float4', 'float8'];
const MADE_OF_FLOATS = ['point', 'lseg', 'path', 'box', 'polygon', 'line', 'circle'];
/** Built-in types whose binary form holds OIDs, or that have none. */
const WITHOUT_BINARY = ['aclitem', 'refcursor', 'pg_node_tree', 'gtsvector'];

/** A text, '' for NULL, that stands for the value on every major. */
function canonicalText(value: Value): string {
  const { sql, type } = value;
  if (type.kind === 'builtin') return builtinText(sql, type.name);
  if (type.kind === 'array' && hasBinaryItems(type.element)) {
    return sha256(arrayBinary(oneNan(sql, type.element)));
  }
  if (textIsCanonical(type)) return outputText(sql);
  switch (type.kind) {
    case 'array':
      return arrayText(sql, type.element);
    case 'composite': {
      const fields = type.fields.map((field) => ({
        sql: `(${sql}).${quoteIdentifier(field.name)}`,
        type: field.type,
      }));
      return `(${hashOfValues(fields)})::pg_catalog.text`;
    }
    case 'range': {
      const bounds = ['lower', 'upper'].map((bound) => ({
        sql: `pg_catalog.${bound}(${sql})`,
        type: type.subtype,
      }));
      const flags = ['isempty', 'lower_inc', 'upper_inc', 'lower_inf', 'upper_inf'];
      const shape = flags.map((flag) => `pg_catalog.${flag}(${sql})`).join(', ');
      return `pg_catalog.concat(${shape}, ${hashOfValues(bounds)})`;
    }
    case 'domain':
      return canonicalText(withoutDomain(value));
    case 'other':
      return numbersText(sql);
  }
}

function builtinText(sql: string, name: string): string {
  if (name === 'bytea') return sha256(sql);
  // their text is eight times as long, and may be longer than a text can be
  if (name === 'bit' || name === 'varbit') return sha256(`pg_catalog.${name}_send(${sql})`);
  if (FLOATS.includes(name)) {
    const nan = `'NaN'::pg_catalog.${name}`;
    const value = `CASE WHEN ${sql} OPERATOR(pg_catalog.=) ${nan} THEN ${nan} ELSE ${sql} END`;
    return hex(`pg_catalog.${name}send(${value})`);
  }
  if (MADE_OF_FLOATS.includes(name)) return numbersText(sql);
  const send = SHORT_BINARY[name];
  return send === undefined ? outputText(sql) : hex(`pg_catalog.${send}(${sql})`);
}

function hex(sql: string): string {
  return `coalesce(pg_catalog.encode(${sql}, 'hex'), '')`;
}

function sha256(sql: string): string {
  return hex(`pg_catalog.sha256(${sql})`);
}

/** A cast to text may be somebody's function, and strips the blanks of a bpchar; concat asks the output function. */
function outputText(sql: string): string {
  return `pg_catalog.concat(${sql})`;
}

/** All NaNs become one: a computed NaN has a sign that the binary form shows and a copy as text loses. */
function oneNan(sql: string, element: TypeDescription): string {
  if (element.kind !== 'builtin' || !FLOATS.includes(element.name)) return sql;
  const nan = `'NaN'::pg_catalog.${element.name}`;
  return `pg_catalog.array_replace(${sql}, ${nan}, ${nan})`;
}

/** Its flag, the eighth byte, tells whether there is a bitmap of NULLs, and the bitmap outlives the last of them. */
function arrayBinary(sql: string): string {
  return `pg_catalog.set_byte(pg_catalog.array_send(${sql}), 7, 0)`;
}

/** The array's dimensions and the sum of its elements' hashes, each with its position. */
function arrayText(sql: string, element: TypeDescription): string {
  const hash = hashOfValues([
    { sql: 'item.value', type: element },
    { sql: 'item.position', type: { kind: 'builtin', name: 'int4' } },
  ]);
  const items = `SELECT pg_catalog.unnest(${sql}) AS value, pg_catalog.generate_series(1, pg_catalog.cardinality(${sql})) AS position`;
  return `pg_catalog.concat(pg_catalog.array_dims(${sql}), ' ', (SELECT pg_catalog.sum(${hash}) FROM (${items}) AS item))`;
}

/** Not every one of these types has a binary form on 11, and that shows the sign of a NaN. */
function numbersText(sql: string): string {
  const text = outputText(sql);
  const numbers = `pg_catalog.string_to_array(pg_catalog.translate(${text}, '()[]<>{}', ''), ',')::pg_catalog.float8[]`;
  const shape = `pg_catalog.translate(${text}, '0123456789.e+-NaInfity', '')`;
  return `pg_catalog.concat(${shape}, pg_catalog.encode(pg_catalog.array_send(${numbers}), 'hex'))`;
}

function hasBinaryItems(element: TypeDescription): boolean {
  return (
    element.kind === 'builtin' &&
    !element.name.startsWith('reg') &&
    !WITHOUT_BINARY.includes(element.name) &&
    !MADE_OF_FLOATS.includes(element.name)
  );
}

/** Does the output function give the same text for the same value on every major, whatever the database's locale? */
function textIsCanonical(type: TypeDescription): boolean {
  switch (type.kind) {
    case 'builtin':
      // money depends on lc_monetary; "char" above 127 is octal from 16 on
      return !['money', 'char', ...FLOATS, ...MADE_OF_FLOATS].includes(type.name);
    case 'array':
      return textIsCanonical(type.element);
    case 'composite':
      return type.fields.every((field) => textIsCanonical(field.type));
    case 'range':
      return textIsCanonical(type.subtype);
    case 'domain':
      return textIsCanonical(type.base);
    case 'other':
      return type.name !== 'cube';
  }
}

/** Not every major's functions for any range or array take a domain over one. */
function withoutDomain(value: Value): Value {
  const { sql, type } = value;
  return type.kind === 'domain'
    ? withoutDomain({ sql: `(${sql}::${type.sqlName})`, type: type.base })
    : value;
}
