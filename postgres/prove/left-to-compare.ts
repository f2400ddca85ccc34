import type { Client } from 'pg';
import { quoteQualified } from '../connect';
import { comparisonKind } from './final-compare-plan';
import { tableStandings, type TableStanding } from './table-standings';

/** What the final comparison would have to read whole while the application waits. */
export interface LeftToCompare {
  /** On the target, without indexes. */
  bytes: number;
  /** As `12 GB`. */
  size: string;
  /** The largest first, for a person: the table, its size and why. */
  tables: string[];
}

export async function leftToCompare(target: Client): Promise<LeftToCompare> {
  const left = (await tableStandings(target)).filter((table) => comparisonKind(table) === 'whole');
  const standings = new Map(left.map((table) => [table.oid, table]));
  const sizes = await tableSizes(target, [...standings.keys()]);
  const bytes = sizes.reduce((sum, each) => sum + Number(each.bytes), 0);
  return {
    bytes,
    size: await prettySize(target, bytes),
    tables: sizes.flatMap(({ oid, size }) => {
      const table = standings.get(oid);
      return table === undefined
        ? []
        : [`${quoteQualified(table.schema, table.name)} (${size}, ${reason(table)})`];
    }),
  };
}

function reason({ identity, proof }: TableStanding): string {
  if (identity === 'late' || identity === 'append') return 'not all of its changes come in the stream';
  if (proof === undefined) return 'not proven yet';
  return identity === 'full' ? 'changed since its proof, without a key' : 'changed much since its proof';
}

interface TableSize {
  oid: number;
  /** A bigint as text. */
  bytes: string;
  size: string;
}

/** The largest first. The plan's estimates are as old as the load. */
async function tableSizes(target: Client, tableOids: number[]): Promise<TableSize[]> {
  const { rows } = await target.query<TableSize>(
    `SELECT oid, bytes, pg_catalog.pg_size_pretty(bytes) AS size
       FROM (SELECT t.table_oid AS oid,
                    COALESCE(pg_catalog.pg_table_size(pg_catalog.to_regclass(
                               pg_catalog.format('%I.%I', t.schema_name, t.table_name))), t.estimated_bytes) AS bytes
               FROM flexlift.table_load t
              WHERE t.table_oid = ANY ($1::pg_catalog.oid[])) sizes
      ORDER BY sizes.bytes DESC, oid`,
    [tableOids],
  );
  return rows;
}

async function prettySize(target: Client, bytes: number): Promise<string> {
  const { rows } = await target.query<{ size: string }>(
    'SELECT pg_catalog.pg_size_pretty($1::pg_catalog.int8) AS size',
    [bytes],
  );
  return rows[0]?.size ?? `${bytes} bytes`;
}
