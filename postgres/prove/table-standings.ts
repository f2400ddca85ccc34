import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { rowCondition, type TableLoad } from '../ledger';

/** A proof that was made before the table's present copy says nothing. As a condition over both. */
const IS_PROOF_OF = `p.table_oid = t.table_oid AND p.lsn >= COALESCE(t.copy_lsn, '0/0')`;

/** Changes of a table since its proof, at most: a row that several batches changed counts with each. */
const CHANGES_SINCE = `
  SELECT r.table_oid, pg_catalog.sum(pg_catalog.jsonb_array_length(r.keys)) AS keys,
         pg_catalog.bool_or(r.keys IS NULL) AS unknown
    FROM flexlift.changed_rows r
    JOIN flexlift.proof p ON p.table_oid = r.table_oid AND r.lsn > p.lsn
   WHERE $1::oid[] IS NULL OR r.table_oid = ANY ($1::oid[])
   GROUP BY r.table_oid`;

export interface Proof {
  /** A bigint as text, as is the checksum. */
  rows: string;
  checksum: string;
  ageMilliseconds: number;
  /** Of the source's table when it was proven, see `definitionMarks`. */
  mark?: string;
}

/** How a table stands: with its proof, if it has one, and what changed since. */
export interface TableStanding extends TableLoad {
  identity: 'key' | 'full' | 'append' | 'late';
  group?: number;
  bytes: number;
  isApplied: boolean;
  proof?: Proof;
  /** How many keys the ledger names, at most; `unknown`: it cannot name them all. */
  changes: number | 'unknown';
}

interface StandingRow {
  table_oid: number;
  schema_name: string;
  table_name: string;
  copy_condition: string | null;
  identity: TableStanding['identity'] | null;
  group_number: number | null;
  estimated_bytes: string;
  applied: boolean;
  proof_rows: string | null;
  proof_checksum: string | null;
  age: number | null;
  mark: string | null;
  keys: string | null;
  unknown: boolean | null;
}

/** @param tableOids default: all, the largest first. */
export async function tableStandings(target: Client, tableOids?: number[]): Promise<TableStanding[]> {
  const { rows } = await target.query<StandingRow>(
    `SELECT t.table_oid, t.schema_name, t.table_name, t.copy_condition, t.identity, t.group_number, t.estimated_bytes,
            t.stream_state = 'applied' AS applied, p.rows AS proof_rows, p.checksum AS proof_checksum,
            pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - p.proven_at) * 1000 AS age,
            s.detail AS mark, c.keys, c.unknown
       FROM flexlift.table_load t
       LEFT JOIN flexlift.proof p ON ${IS_PROOF_OF}
       LEFT JOIN flexlift.step s ON s.kind = 'proven' AND s.key = t.table_oid::pg_catalog.text
       LEFT JOIN (${CHANGES_SINCE}) c ON c.table_oid = t.table_oid
      WHERE $1::oid[] IS NULL OR t.table_oid = ANY ($1::oid[])
      ORDER BY t.estimated_bytes DESC, t.table_oid`,
    [tableOids ?? null],
  );
  return rows.map(standingOf);
}

function standingOf(row: StandingRow): TableStanding {
  const { proof_rows, proof_checksum, age, mark } = row;
  return {
    oid: row.table_oid,
    schema: row.schema_name,
    name: row.table_name,
    condition: rowCondition(row.copy_condition),
    identity: row.identity ?? 'late',
    group: row.group_number ?? undefined,
    bytes: Number(row.estimated_bytes),
    isApplied: row.applied,
    proof:
      proof_rows === null || proof_checksum === null
        ? undefined
        : {
            rows: proof_rows,
            checksum: proof_checksum,
            ageMilliseconds: age ?? 0,
            mark: mark ?? undefined,
          },
    changes: row.unknown === true ? 'unknown' : Number(row.keys ?? 0),
  };
}

/** Large tables alone, small ones by their groups; in the order of the first of each. */
export function byGroup(tables: TableStanding[]): TableStanding[][] {
  const batches = new Map<string, TableStanding[]>();
  for (const table of tables) {
    const key = table.group === undefined ? `table ${table.oid}` : `group ${table.group}`;
    const batch = batches.get(key);
    if (batch === undefined) batches.set(key, [table]);
    else batch.push(table);
  }
  return [...batches.values()];
}

export interface TableBatch {
  /** For a person. */
  summary: string;
  tableOids: number[];
}

export function tableBatch(verb: string, tables: TableStanding[], what?: string): TableBatch {
  return { summary: `${verb} ${namesOf(tables, what)}`, tableOids: tables.map((table) => table.oid) };
}

/** For a person: the one table, or how many. */
export function namesOf(tables: { schema: string; name: string }[], what = 'small tables'): string {
  const [first] = tables;
  return tables.length === 1 && first !== undefined
    ? quoteQualified(first.schema, first.name)
    : `${tables.length} ${what}`;
}
