import type { Client } from 'pg';
import { queryAll, quoteQualified } from '../connect';
import type { TableChecksum } from '../ledger';
import { hashExpression } from './row-hash';
import {
  describeTable,
  describeTables,
  type ColumnDescription,
  type Described,
  type TableName,
} from './table-description';

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
  tables: Described<TableName & { condition?: string }>[];
  signal: AbortSignal;
}

/** Characters of statements that are sent at once: a table of 1,600 columns makes a quarter of a million. */
const STATEMENTS_TOGETHER = 1024 ** 2;

/** {@link checksumTable} of small tables, in their order, one statement for each and few round trips for all. */
export async function checksumTables({ client, tables, signal }: ChecksumsRequest): Promise<TableChecksum[]> {
  const found: TableChecksum[] = [];
  let together: string[] = [];
  let length = 0;
  const flush = async () => {
    signal.throwIfAborted();
    if (together.length > 0) found.push(...(await queryAll<TableChecksum>(client, together)).flat());
    together = [];
    length = 0;
  };
  for (const table of tables) {
    const statement = checksumStatement(ownRowsOf(table), table.columns, table.condition);
    if (length + statement.length > STATEMENTS_TOGETHER) await flush();
    together.push(statement);
    length += statement.length;
  }
  await flush();
  return found;
}

/** {@link checksumTables} by this side's own columns. */
export async function describeAndChecksum(
  args: Omit<ChecksumsRequest, 'tables'> & { tables: (TableName & { condition?: string })[] },
): Promise<TableChecksum[]> {
  return await checksumTables({ ...args, tables: await describeTables(args.client, args.tables) });
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
