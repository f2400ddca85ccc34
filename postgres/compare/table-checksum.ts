import type { Client } from 'pg';
import { queryAll, quoteQualified } from '../connect';
import { hashExpression } from './row-hash';
import { describeTable, type ColumnDescription, type TableName } from './table-description';

export interface TableChecksum {
  /** Number of rows, a bigint as text. */
  rows: string;
  /** Sum of the rows' 64-bit hashes, exact, as text; `0` for an empty table. */
  checksum: string;
}

export interface ChecksumRequest {
  /** In any transaction or none; what its snapshot sees is what is summed. */
  client: Client;
  table: TableName;
  /** See `describeTable`; default: this side's own. */
  columns?: ColumnDescription[];
  /** SQL without parameters that chooses rows; default: the whole table. */
  condition?: string;
  signal: AbortSignal;
}

/**
 * Counts and sums a table's rows in one statement, which the server may run in parallel. The sum does not depend on
 * the order of rows; a row that stands twice counts twice. Rows of partitions and children are not the table's own.
 *
 * @throws FlexliftError StatementRejected where there is no such table.
 */
export async function checksumTable(request: ChecksumRequest): Promise<TableChecksum> {
  const { client, table, condition, signal } = request;
  signal.throwIfAborted();
  const columns = request.columns ?? (await describeTable(client, table.schema, table.name));
  return await checksumRelation(client, ownRowsOf(table), columns, condition);
}

export interface ChecksumsRequest {
  client: Client;
  /** `columns` and `condition` as in {@link ChecksumRequest}. */
  tables: (TableName & { columns: ColumnDescription[]; condition?: string })[];
  signal: AbortSignal;
}

/** {@link checksumTable} of small tables, in their order, one statement for each and one round trip for all. */
export async function checksumTables({ client, tables, signal }: ChecksumsRequest): Promise<TableChecksum[]> {
  signal.throwIfAborted();
  if (tables.length === 0) return [];
  const statements = tables.map((table) =>
    checksumStatement(ownRowsOf(table), table.columns, table.condition),
  );
  return (await queryAll<TableChecksum>(client, statements)).flat();
}

function ownRowsOf({ schema, name }: TableName): string {
  return `ONLY ${quoteQualified(schema, name)}`;
}

/** @param relation an item of FROM: a name, or a query in parentheses with its alias. */
export async function checksumRelation(
  client: Client,
  relation: string,
  columns: ColumnDescription[],
  condition?: string,
): Promise<TableChecksum> {
  const { rows } = await client.query<TableChecksum>(checksumStatement(relation, columns, condition));
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate returned no row');
  return row;
}

function checksumStatement(relation: string, columns: ColumnDescription[], condition = 'true'): string {
  return `SELECT pg_catalog.count(*)::pg_catalog.text AS rows,
                 coalesce(pg_catalog.sum(${hashExpression(columns)}), 0)::pg_catalog.text AS checksum
            FROM ${relation}
           WHERE ${condition}`;
}
