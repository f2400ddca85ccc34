import * as fc from 'fast-check';
import type { RandomTable } from './random-table';

/** One statement of a workload: which, of which table (counted round), and numbers that stand for keys and contents. */
export interface Statement {
  kind: StatementKind;
  table: number;
  n: number;
  m: number;
}

/** What is done, as SQL; `COPY` is the select list whose rows come by the COPY protocol. */
export type Step = { sql: string } | { copyInto: string; rows: string };

type Make = (table: RandomTable, n: number, m: number) => string | string[];

/** Statements name keys below. */
const KEYS = 400;
/** A key that none names. */
const ELSEWHERE = 401;
/** More than the applier takes at a time. */
const HUGE = 12_000;

const STATEMENTS = {
  insert: (t, n, m) => `INSERT INTO ${t.name} (${t.columns}) VALUES (${t.row(n, m, m)})`,
  insertMany: (t, n, m) =>
    `INSERT INTO ${t.name} (${t.columns}) SELECT ${t.row('g', 'NULL', m)}
       FROM generate_series(${n * 5}, ${n * 5 + t.upTo(40)}) g ON CONFLICT DO NOTHING`,
  upsert: (t, n, m) =>
    `INSERT INTO ${t.name} AS t (${t.columns}) VALUES (${t.row(n, m, m)})
       ON CONFLICT (${t.keyList}) DO UPDATE SET n = t.n + 1, v = excluded.v, u = NULL`,
  update: (t, n, m) => `UPDATE ${t.name} SET ${t.changed(m)} WHERE ${t.where(n)}`,
  updateSmall: (t, n) => `UPDATE ${t.name} SET n = n + 1 WHERE ${t.where(n)}`,
  updateSame: (t, n) => `UPDATE ${t.name} SET n = n WHERE ${t.where(n)}`,
  // what is lost of one row is mended by the next change of that row: many rows are changed that are not changed again soon
  updateSome: (t, n) => `UPDATE ${t.name} SET n = n + 1 WHERE n % 23 = ${n % 23}`,
  updateAll: (t) => `UPDATE ${t.name} SET n = n + 1`,
  moveKey: (t, n, m) => `UPDATE ${t.name} SET ${t.moved(m)} WHERE ${t.where(n)}`,
  swapKeys: (t, n, m) => [
    `UPDATE ${t.name} SET ${t.moved(ELSEWHERE)} WHERE ${t.where(n)}`,
    `UPDATE ${t.name} SET ${t.moved(n)} WHERE ${t.where(m)}`,
    `UPDATE ${t.name} SET ${t.moved(m)} WHERE ${t.where(ELSEWHERE)}`,
  ],
  handOver: (t, n, m) => [
    // the receiver is touched first
    `UPDATE ${t.name} SET n = n + 1 WHERE ${t.where(n)}`,
    `UPDATE ${t.name} SET u = NULL WHERE u = ${m}`,
    `UPDATE ${t.name} SET u = ${m} WHERE ${t.where(n)}`,
  ],
  swapUnique: (t, n, m) =>
    `UPDATE ${t.name} SET u = CASE u WHEN ${n} THEN ${m} ELSE ${n} END WHERE u IN (${n}, ${m})`,
  shiftUnique: (t, n) => `UPDATE ${t.name} SET u = u + 1 WHERE u < ${n}`,
  refer: (t, n, m) => `UPDATE ${t.name} SET r = ${m} WHERE ${t.where(n)}`,
  delete: (t, n) => `DELETE FROM ${t.name} WHERE ${t.where(n)}`,
  replace: (t, n, m) => [
    `DELETE FROM ${t.name} WHERE ${t.where(n)}`,
    `INSERT INTO ${t.name} (${t.columns}) VALUES (${t.row(n, m, m)})`,
  ],
  deleteSome: (t, n) => `DELETE FROM ${t.name} WHERE n % 7 = ${n % 7}`,
  truncate: (t) => `TRUNCATE ${t.name} CASCADE`,
  refill: (t, n, m) => [
    `TRUNCATE ${t.name} CASCADE`,
    `INSERT INTO ${t.name} (${t.columns}) SELECT ${t.row('g', 'g', m)} FROM generate_series(${n}, ${n + 200}) g`,
  ],
  restart: (t, n, m) => [
    `TRUNCATE ${t.name} RESTART IDENTITY CASCADE`,
    `INSERT INTO ${t.name} (${t.columns}) VALUES (${t.row(n, m, m)})`,
  ],
  huge: (t, n) => [
    `INSERT INTO ${t.name} (${t.columns}) SELECT ${t.row('g', 'NULL', 'g * 2')}
       FROM generate_series(${n + 5_000}, ${n + 5_000 + t.upTo(HUGE)}) g ON CONFLICT DO NOTHING`,
    `UPDATE ${t.name} SET n = n + 2 WHERE n % 6 = 0`,
    `DELETE FROM ${t.name} WHERE n % 6 = 4`,
  ],
  lock: (t) => `LOCK TABLE ${t.name} IN EXCLUSIVE MODE`,
  nextNumber: () => `SELECT nextval('numbers')`,
  setNumber: (_, n, m) => `SELECT setval('numbers', ${1 + n * m}, ${n % 2 === 0})`,
  largeObject: (_, n, m) =>
    `SELECT CASE WHEN EXISTS (SELECT FROM pg_largeobject_metadata WHERE oid = ${900_000 + (n % 26)})
       THEN lo_put(${900_000 + (n % 26)}, ${m}, '\\x00ff')::text
       ELSE lo_from_bytea(${900_000 + (n % 26)}, '\\x0102')::text END`,
  unlink: (_, n) => `SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid = ${900_000 + (n % 26)}`,
  message: (_, n) => `SELECT pg_logical_emit_message(${n % 2 === 0}, 'another', 'message')`,
  wait: (_, n) => `SELECT pg_sleep(${(n % 26) / 25})`,
} satisfies Record<string, Make>;

export type StatementKind = keyof typeof STATEMENTS | 'copy';

/** What they empty stays empty for long, and no applier keeps up with a session that does nothing but what is huge. */
const RARE: StatementKind[] = ['truncate', 'restart', 'refill', 'huge', 'updateAll'];
const ROUNDS_BETWEEN = 10;

/** @param round how often the session has done all its transactions */
export function isDue({ kind, n }: Statement, round: number): boolean {
  return !RARE.includes(kind) || round % ROUNDS_BETWEEN === n % ROUNDS_BETWEEN;
}

const ORDINARY = [
  'insert',
  'insertMany',
  'update',
  'updateSmall',
  'updateSome',
  'upsert',
  'handOver',
  'copy',
] as const;

export const statement: fc.Arbitrary<Statement> = fc.record({
  kind: fc.oneof(
    fc.constantFrom<StatementKind>(...ORDINARY),
    fc.constantFrom<StatementKind>('copy', ...(Object.keys(STATEMENTS) as (keyof typeof STATEMENTS)[])),
  ),
  table: fc.nat(3),
  n: fc.nat(25),
  m: fc.nat(25),
});

/** Other rows in every round, or a later one would mend what was lost in an earlier. */
export function stepsOf(
  { kind, table: at, ...numbers }: Statement,
  tables: RandomTable[],
  round: number,
): Step[] {
  const table = tables[at % tables.length];
  const [n, m] = [(numbers.n + round * 37) % KEYS, (numbers.m + round * 11) % KEYS];
  if (table === undefined) return [];
  if (kind === 'copy') {
    const rows = `SELECT ${table.row('g', 'NULL', m)} FROM generate_series(${n + 80}, ${n + 90}) g`;
    return [{ copyInto: `${table.name} (${table.columns})`, rows }];
  }
  return [(STATEMENTS[kind] as Make)(table, n, m)].flat().map((sql) => ({ sql }));
}
