import type { Client } from 'pg';
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../connect';
import { inTransaction } from '../ledger';
import { hashExpression } from './row-hash';
import { hashedRows, type HashedRow, type RowsQuery } from './hashed-rows';
import { describeTable } from './table-description';
import { readTableKey } from './table-key';

export interface DifferingRow {
  /** `id = 7`, `a = 1, b = x`; without a key the row's position, `ctid (0,7)`. Long values are cut. */
  key: string;
  state: 'only on source' | 'only on target' | 'differs';
}

export interface TableDifferences {
  /** The key's columns; absent where the table has none and whole rows are compared. */
  keyColumns?: string[];
  /** At most `limit`. */
  rows: DifferingRow[];
  /** False: there may be more. */
  complete: boolean;
}

export interface DiffRequest {
  /** Both outside of a transaction: one is opened on each side. */
  source: Client;
  target: Client;
  table: { schema: string; name: string };
  /** SQL without parameters that chooses rows; default: the whole table. */
  condition?: string;
  /** Default 10. */
  limit?: number;
  signal: AbortSignal;
}

/** Rows are dealt out to so many buckets by the hash of their key; a power of two. */
const BUCKETS = 4096;
const READ_ONLY = 'BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY';

/**
 * Names the first rows in which a table differs. Both sides are scanned twice: once for a count and a sum per bucket,
 * once for the rows of at most `limit` buckets that differ, which are read side by side. So the memory needed does not
 * grow with the table, nor with the number of differences.
 */
export async function firstDifferences(request: DiffRequest): Promise<TableDifferences> {
  return await inTransaction(
    request.source,
    () => inTransaction(request.target, () => firstDifferencesInside(request), READ_ONLY),
    READ_ONLY,
  );
}

/** The same for clients that are in a transaction already, without cursors: what their snapshots see is compared. */
export async function firstDifferencesInside(request: DiffRequest): Promise<TableDifferences> {
  const { source, target, table, limit = 10, signal } = request;
  const plan = await diffPlan(source, table, request.condition ?? 'true');
  signal.throwIfAborted();
  const [onSource, onTarget] = await Promise.all([readBuckets(source, plan), readBuckets(target, plan)]);
  const differing = differingBuckets(onSource, onTarget);
  const query = { ...plan, buckets: differing.slice(0, limit) };
  const rows = await mergeRows(hashedRows(source, query), hashedRows(target, query), limit, signal);
  await Promise.all([source, target].map((client) => client.query('CLOSE ALL')));
  const complete = differing.length <= limit && rows.length <= limit;
  return { keyColumns: plan.keyColumns, rows: rows.slice(0, limit), complete };
}

type DiffPlan = Omit<RowsQuery, 'buckets'> & { keyColumns?: string[] };

async function diffPlan(source: Client, table: DiffRequest['table'], condition: string): Promise<DiffPlan> {
  const columns = await describeTable(source, table.schema, table.name);
  const keyColumns = await readTableKey(source, table);
  const rowHash = hashExpression(columns);
  const keyHash =
    keyColumns === undefined
      ? rowHash
      : hashExpression(columns.filter(({ name }) => keyColumns.includes(name)));
  return {
    relation: `ONLY ${quoteQualified(table.schema, table.name)}`,
    condition,
    keyColumns,
    keyHash,
    rowHash,
    bucket: `(${keyHash}) OPERATOR(pg_catalog.&) ${BUCKETS - 1}`,
    label: keyColumns === undefined ? `pg_catalog.concat('ctid ', ctid)` : keyLabel(keyColumns),
  };
}

function keyLabel(columns: string[]): string {
  const parts = columns.map((column) => {
    const value = `pg_catalog.left(pg_catalog.concat(${quoteIdentifier(column)}), 100)`;
    return `pg_catalog.concat(${quoteLiteral(`${column} = `)}, ${value})`;
  });
  const label = `pg_catalog.concat_ws(', ', ${parts.join(', ')})`;
  // its bytes may be no text that a client could be sent
  return `CASE pg_catalog.current_setting('server_encoding') WHEN 'SQL_ASCII'
               THEN pg_catalog.encode(pg_catalog.convert_to(${label}, 'SQL_ASCII'), 'escape') ELSE ${label} END`;
}

/** As lines for a report: `id = 7 (only on source)`. */
export function differingKeys(differences: TableDifferences): string[] {
  return differences.rows.map((row) => `${row.key} (${row.state})`);
}

async function readBuckets(client: Client, plan: DiffPlan): Promise<Map<string, string>> {
  const { rows } = await client.query<{ bucket: string; content: string }>(
    `SELECT bucket, pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(hash)) AS content
       FROM (SELECT ${plan.bucket} AS bucket, ${plan.rowHash} AS hash FROM ${plan.relation}
              WHERE ${plan.condition}) AS hashed
      GROUP BY bucket`,
  );
  return new Map(rows.map((row) => [row.bucket, row.content]));
}

function differingBuckets(source: Map<string, string>, target: Map<string, string>): string[] {
  const all = new Set([...source.keys(), ...target.keys()]);
  return [...all]
    .filter((bucket) => source.get(bucket) !== target.get(bucket))
    .sort((a, b) => Number(a) - Number(b));
}

/** Reads both sides in the order of the key's hash; stops at one more than `limit`. */
async function mergeRows(
  source: AsyncGenerator<HashedRow, undefined>,
  target: AsyncGenerator<HashedRow, undefined>,
  limit: number,
  signal: AbortSignal,
): Promise<DifferingRow[]> {
  const found: DifferingRow[] = [];
  let onSource = (await source.next()).value;
  let onTarget = (await target.next()).value;
  while (found.length <= limit && (onSource !== undefined || onTarget !== undefined)) {
    signal.throwIfAborted();
    if (onTarget === undefined || (onSource !== undefined && onSource.keyHash < onTarget.keyHash)) {
      if (onSource !== undefined) found.push(differing(onSource, 'only on source'));
      onSource = (await source.next()).value;
    } else if (onSource === undefined || onTarget.keyHash < onSource.keyHash) {
      found.push(differing(onTarget, 'only on target'));
      onTarget = (await target.next()).value;
    } else {
      if (onSource.content !== onTarget.content) found.push(differing(onSource, 'differs', onTarget.count));
      onSource = (await source.next()).value;
      onTarget = (await target.next()).value;
    }
  }
  return found;
}

/** Rows without a key can be equal to one another: then their numbers tell the sides apart. */
function differing(row: HashedRow, state: DifferingRow['state'], countOnTarget?: string): DifferingRow {
  if (countOnTarget === undefined || countOnTarget === row.count) {
    return { key: row.count === '1' ? row.label : `${row.label} and its like, ${row.count} rows`, state };
  }
  return {
    key: `${row.label}, ${row.count} times on the source and ${countOnTarget} times on the target`,
    state,
  };
}
