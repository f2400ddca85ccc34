import type { Client } from 'pg';
import { quoteIdentifier, quoteQualified } from '../../connect';
import type { Relation, RelationColumn } from '../pgoutput';
import { driftedTable } from './change-rejection';
import { readTables, type CatalogColumn, type CatalogIndexColumn, type CatalogTable } from './target-catalog';
import type {
  AppliedIdentity,
  BulkForm,
  ColumnEquality,
  LoadedTable,
  TargetColumn,
  TargetTable,
} from './target-table';

/** Oids below are given by hand, the same in every major; above they are given by initdb and the database. */
const FIRST_UNSTABLE_OID = 10_000;

/** Knows the target's tables; made once for each session of the applier. */
export class TargetTables {
  private readonly known = new WeakMap<Relation, TargetTable>();
  private rawBytes?: boolean;

  constructor(private readonly target: Client) {}

  /**
   * Looks tables up once for each of their Relation messages.
   *
   * @throws ChangeRejection SchemaDrift where the target lacks the table, a column or the identity's index, or where a
   * column is of another type, or where the source's has another name than when it was copied
   */
  async describe(
    relations: Relation[],
    loaded: (sourceOid: number) => LoadedTable,
  ): Promise<Map<Relation, TargetTable>> {
    const isNew = (relation: Relation) =>
      this.known.get(relation)?.identity !== loaded(relation.oid).identity;
    const asked = relations.filter(isNew);
    const found = asked.length === 0 ? [] : await readTables(this.target, asked);
    for (const [index, relation] of asked.entries()) {
      const { name, identity } = loaded(relation.oid);
      const present = quoteQualified(relation.schema, relation.name);
      // another table may be under that name on the target
      if (present !== name) throw driftedTable(relation, name, `The source's table is called ${present}.`);
      const table = found[index];
      if (table === undefined) throw driftedTable(relation, name, 'The table is missing on the target.');
      this.known.set(relation, describeTable(relation, identity, name, table));
    }
    return new Map(
      relations.flatMap((relation) => {
        const table = this.known.get(relation);
        return table === undefined ? [] : [[relation, table]];
      }),
    );
  }

  /** Its text is of no encoding: what the source sends must reach it unchecked. */
  async takesRawBytes(): Promise<boolean> {
    if (this.rawBytes === undefined) {
      const { rows } = await this.target.query<{ encoding: string }>(
        `SELECT pg_catalog.current_setting('server_encoding') AS encoding`,
      );
      this.rawBytes = rows[0]?.encoding === 'SQL_ASCII';
    }
    return this.rawBytes;
  }
}

function describeTable(
  relation: Relation,
  identity: AppliedIdentity,
  name: string,
  found: CatalogTable,
): TargetTable {
  const byName = new Map(found.columns.map((column) => [column.name, column]));
  const sent = new Set(relation.columns.map((column) => column.name));
  const extra = found.columns.find((column) => !column.isGenerated && !sent.has(column.name));
  if (extra !== undefined) {
    throw driftedTable(relation, name, `The source's table has no column ${JSON.stringify(extra.name)}.`);
  }
  const keyNames =
    identity === 'key' ? relation.columns.filter((column) => column.isKey).map((column) => column.name) : [];
  const indexColumns =
    identity === 'key' ? identityIndex(relation, name, keyNames, found) : found.indexColumns;
  const columns = relation.columns.map((column) => {
    const onTarget = byName.get(column.name);
    checkColumn(relation, name, column, onTarget);
    const indexed = indexColumns.find((each) => each.column === column.name);
    return targetColumn(onTarget, indexed);
  });
  const key = relation.columns.flatMap((column, index) => (keyNames.includes(column.name) ? [index] : []));
  const always = columns.findIndex((column) => column.isAlwaysGenerated);
  return {
    oid: relation.oid,
    name,
    identity,
    columns,
    key,
    always: always < 0 ? undefined : always,
    statements: new Map(),
  };
}

function checkColumn(
  relation: Relation,
  name: string,
  { name: column, typeOid, typmod }: RelationColumn,
  found: CatalogColumn | undefined,
): asserts found is CatalogColumn {
  const quoted = JSON.stringify(column);
  if (found === undefined) {
    throw driftedTable(relation, name, `The target's table has no column ${quoted}.`);
  }
  if (found.isGenerated) {
    throw driftedTable(relation, name, `The column ${quoted} is generated on the target only.`);
  }
  const isComparable = typeOid < FIRST_UNSTABLE_OID || found.type < FIRST_UNSTABLE_OID;
  if ((isComparable && typeOid !== found.type) || typmod !== found.typmod) {
    throw driftedTable(relation, name, `The column ${quoted} is of another type on the source.`);
  }
}

/** The index that makes the identity's columns name one row, and says what it means by equal. */
function identityIndex(
  relation: Relation,
  name: string,
  key: string[],
  { indexColumns }: CatalogTable,
): CatalogIndexColumn[] {
  const byIndex = new Map<number, CatalogIndexColumn[]>();
  for (const each of indexColumns.filter((column) => column.isUnique)) {
    byIndex.set(each.index, [...(byIndex.get(each.index) ?? []), each]);
  }
  const index = [...byIndex.values()].find(
    (columns) => columns.length === key.length && columns.every((each) => key.includes(each.column)),
  );
  if (index !== undefined) return index;
  const columns = key.map((column) => JSON.stringify(column)).join(', ');
  const sentence =
    key.length === 0
      ? 'The source sends no replica identity with its changes any more.'
      : `The target's table has no unique index on the columns of the replica identity (${columns}).`;
  throw driftedTable(relation, name, sentence);
}

function targetColumn(column: CatalogColumn, indexed: CatalogIndexColumn | undefined): TargetColumn {
  return {
    name: quoteIdentifier(column.name),
    type: column.type,
    bulk: bulkForm(column),
    equality: indexed === undefined ? undefined : equalityOf(column, indexed),
    isAlwaysGenerated: column.isAlwaysGenerated,
    comparesAsText: comparesAsText(column),
  };
}

function bulkForm(column: CatalogColumn): BulkForm {
  if (column.arrayType !== 0) {
    return { kind: 'array', type: column.arrayType, delimiter: column.delimiter.charCodeAt(0) };
  }
  if (column.isArray && !column.hasTextCast) return { kind: 'text', cast: column.typeName };
  return { kind: 'none' };
}

function equalityOf(column: CatalogColumn, indexed: CatalogIndexColumn): ColumnEquality {
  const { collationSchema, collation } = indexed;
  return {
    operator: `OPERATOR(${quoteIdentifier(indexed.operatorSchema)}.${indexed.operator})`,
    collation:
      collationSchema === null || collation === null ? undefined : quoteQualified(collationSchema, collation),
    cast: column.baseType === column.type ? undefined : column.baseTypeName,
  };
}

/** float4, float8, point, lseg, path, box, polygon, line, circle. */
const MADE_OF_FLOATS = new Set([700, 701, 600, 601, 602, 603, 604, 628, 718]);

/** Its receive function stores the operands in another order than its input function does. */
const TSQUERY = 3615;

function comparesAsText({ baseType, baseKind, baseIsArray }: CatalogColumn): boolean {
  return (
    MADE_OF_FLOATS.has(baseType) || baseType === TSQUERY || baseIsArray || ['c', 'r', 'm'].includes(baseKind)
  );
}
