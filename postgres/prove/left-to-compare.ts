import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { hasMoved, LARGE_OBJECTS, lateTables, readSourceCounters } from '../copy';
import { changedKeys } from './changed-keys';
import { currentStandings } from './current-standings';
import { comparisonKind } from './final-compare-plan';
import type { TableStanding } from './table-standings';

/** What a cutover would have to read whole while the application waits. */
export interface LeftToCompare {
  bytes: number;
  /** As `12 GB`. */
  size: string;
  /** The largest first, for a person: what it is, its size and why. */
  what: string[];
}

export interface LeftToCompareArguments {
  source: Client;
  target: Client;
  /** False: only what is not replicated is read, to be copied anew where it changed. */
  compare: boolean;
  /** False: what is not replicated is read whether it seems to have changed or not; see `CopyLateRowsArguments`. */
  trustsCounters: boolean;
}

export async function leftToCompare(args: LeftToCompareArguments): Promise<LeftToCompare> {
  const { source, target, compare, trustsCounters } = args;
  const standings = await currentStandings(source, target);
  const tables = compare
    ? await readWhole(target, standings)
    : standings.filter(trustsCounters ? isAmong(await movedTables(source, target)) : isLate);
  const sizes = [
    ...(await sizesOn(source, SOURCE_SIZES, tables.filter(isLate))),
    ...(await sizesOn(
      target,
      TARGET_SIZES,
      tables.filter((table) => !isLate(table)),
    )),
    await largeObjectsSize(source),
  ].filter(({ bytes }) => Number(bytes) > 0);
  const reasons = new Map(tables.map((table) => [table.oid, reason(table)]));
  const bytes = sizes.reduce((sum, each) => sum + Number(each.bytes), 0);
  return {
    bytes,
    size: await prettySize(target, bytes),
    what: sizes
      .sort((a, b) => Number(b.bytes) - Number(a.bytes))
      .map(({ oid, what, size }) => {
        const why = oid === undefined ? undefined : reasons.get(oid);
        return `${what} (${size}, ${why ?? NOT_REPLICATED})`;
      }),
  };
}

/** The ledger counts a row with each batch that changed it: of few rows many changes may have come. */
async function readWhole(target: Client, standings: TableStanding[]): Promise<TableStanding[]> {
  const whole: TableStanding[] = [];
  for (const table of standings) {
    if (comparisonKind(table) !== 'whole') continue;
    const { oid, proof, identity, isApplied, changes } = table;
    const mayBeFew = proof !== undefined && identity === 'key' && isApplied && changes !== 'unknown';
    if (mayBeFew && (await changedKeys(target, oid, proof.rows)) !== undefined) continue;
    whole.push(table);
  }
  return whole;
}

/** As far as the source's counters tell before its writers have ended. */
async function movedTables(source: Client, target: Client): Promise<number[]> {
  const tables = await lateTables(target);
  const append = tables.filter(({ identity }) => identity === 'append');
  const counters = new Map((await readSourceCounters(source, append)).map((row) => [row.oid, row]));
  return tables
    .filter((table) => table.identity === 'late' || hasMoved(table, counters.get(table.oid)))
    .map(({ oid }) => oid);
}

function isAmong(oids: number[]): (table: TableStanding) => boolean {
  const among = new Set(oids);
  return ({ oid }) => among.has(oid);
}

/** Its copy on the target may be as old as the load. */
function isLate({ identity }: TableStanding): boolean {
  return identity === 'late' || identity === 'append';
}

const NOT_REPLICATED = 'not all of its changes come in the stream';

function reason(table: TableStanding): string {
  if (isLate(table)) return NOT_REPLICATED;
  if (table.proof === undefined) return 'not proven yet';
  return table.identity === 'full'
    ? 'changed since its proof, without a key'
    : 'changed much since its proof';
}

interface Size {
  oid?: number;
  what: string;
  /** A bigint as text. */
  bytes: string;
  size: string;
}

const SOURCE_SIZES = `
  SELECT t.oid, pg_catalog.pg_table_size(t.oid) AS bytes
    FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t(oid)`;

/** The plan's estimates are as old as the load. */
const TARGET_SIZES = `
  SELECT t.table_oid AS oid, COALESCE(pg_catalog.pg_table_size(pg_catalog.to_regclass(
           pg_catalog.format('%I.%I', t.schema_name, t.table_name))), t.estimated_bytes) AS bytes
    FROM flexlift.table_load t
   WHERE t.table_oid = ANY ($1::pg_catalog.oid[])`;

async function sizesOn(client: Client, sizes: string, tables: TableStanding[]): Promise<Size[]> {
  const names = new Map(tables.map((table) => [table.oid, quoteQualified(table.schema, table.name)]));
  const { rows } = await client.query<Omit<Required<Size>, 'what'>>(
    `SELECT oid, bytes, pg_catalog.pg_size_pretty(bytes) AS size FROM (${sizes}) sizes`,
    [[...names.keys()]],
  );
  return rows.map((row) => ({ ...row, what: names.get(row.oid) ?? '' }));
}

async function largeObjectsSize(source: Client): Promise<Size> {
  const { rows } = await source.query<{ bytes: string; size: string }>(
    `SELECT bytes, pg_catalog.pg_size_pretty(bytes) AS size
       FROM pg_catalog.pg_table_size('pg_catalog.pg_largeobject') AS bytes`,
  );
  return { what: LARGE_OBJECTS, ...(rows[0] ?? { bytes: '0', size: '' }) };
}

async function prettySize(client: Client, bytes: number): Promise<string> {
  const { rows } = await client.query<{ size: string }>(
    'SELECT pg_catalog.pg_size_pretty($1::pg_catalog.int8) AS size',
    [bytes],
  );
  return rows[0]?.size ?? `${bytes} bytes`;
}
