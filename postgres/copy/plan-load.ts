import type { Client } from 'pg';
import type { MigrationLimits } from '../../contract';
import { serverVersion } from '../catalog';
import type { StreamIdentity } from '../ledger';
import { atSide } from '../connect';
import { planLargeObjects, type LargeObjectRange } from './large-object-batches';
import { divideTable } from './divide-table';
import type { PartRange } from './part-ranges';
import type { SourceTable } from './source-tables';
import { tableSizes, type TableSize } from './table-sizes';

/** More parts of the whole database than about this would make histories too long. */
const MOST_PIECES = 200;
/** Of a database, where they are not smaller than a group is worth. */
const FEWEST_PIECES = 16;
const LEAST_GROUP = { bytes: 32 * 1024 ** 2, tables: 50 };

export type LoadLimits = Pick<MigrationLimits, 'copiesAtOnce' | 'partBytes' | 'groupBytes' | 'groupTables'>;

type PieceLimits = Omit<LoadLimits, 'copiesAtOnce'>;

export interface PlannedTable extends SourceTable {
  /** Of the table itself with its TOAST, without indexes and children. */
  estimatedBytes: number;
  /** 0 where the source has never analyzed it. */
  estimatedRows: number;
  /** From 1 on; absent: a large table, with activities of its own. */
  group?: number;
  /** The key that its parts are ranges of; absent: ctid. */
  rangeColumn?: string;
  /** One without bounds: the whole table. */
  parts: PartRange[];
  /** Online only. */
  identity?: StreamIdentity;
}

export interface PlannedLoad {
  /** Largest first. */
  tables: PlannedTable[];
  largeObjects: LargeObjectRange[];
}

/**
 * Divides the load: tables larger than `groupBytes` are large, those larger than `partBytes` in parts, and some in two that are
 * smaller (see `divideTable`); all others go in groups of similar size.
 *
 * @param args.source in a transaction that stands in the scope's snapshot
 */
export async function planLoad(args: { source: Client; limits: LoadLimits }): Promise<PlannedLoad> {
  return await atSide('source', args.source, () => divide(args.source, args.limits));
}

async function divide(source: Client, { copiesAtOnce, ...asked }: LoadLimits): Promise<PlannedLoad> {
  const { major } = await serverVersion(source);
  const sizes = await tableSizes(source);
  const bytes = sizes.reduce((sum, table) => sum + table.bytes, 0);
  const limits = boundedLimits(asked, { bytes, tables: sizes.length });
  const isSmall = (table: TableSize) => table.bytes <= Math.min(limits.groupBytes, limits.partBytes);
  const tables: PlannedTable[] = [];
  for (const table of sizes.filter((each) => !isSmall(each))) {
    const { column, ranges } = await divideTable({
      ...{ source, major, table },
      partBytes: limits.partBytes,
      exceedsShare: table.bytes * copiesAtOnce > bytes,
    });
    tables.push({ ...planned(table), rangeColumn: column, parts: ranges });
  }
  const groups = groupNumbers(sizes.filter(isSmall), limits);
  for (const [table, group] of groups) tables.push({ ...planned(table), group, parts: [{}] });
  return { tables, largeObjects: await planLargeObjects(source) };
}

/**
 * Parts and groups grow with the database, so that their number, and with it the history of the load, stays bounded: a
 * history nears 4,000 events with some hundred parts, large tables and indexes. In a small database groups are smaller
 * than asked, for what is in one group is copied, and its indexes are built, one after the other.
 */
export function boundedLimits(limits: PieceLimits, total: { bytes: number; tables: number }): PieceLimits {
  const least = Math.ceil(total.bytes / MOST_PIECES);
  const groupBytes = Math.max(LEAST_GROUP.bytes, Math.ceil(total.bytes / FEWEST_PIECES));
  const groupTables = Math.max(LEAST_GROUP.tables, Math.ceil(total.tables / FEWEST_PIECES));
  return {
    partBytes: Math.max(limits.partBytes, least),
    groupBytes: Math.max(Math.min(limits.groupBytes, groupBytes), least),
    groupTables: Math.min(limits.groupTables, groupTables),
  };
}

/** Tables in their order, each with the number of its group. */
export function groupNumbers<Table extends { bytes: number }>(
  tables: Table[],
  limits: Pick<PieceLimits, 'groupBytes' | 'groupTables'>,
): [Table, number][] {
  let group = 1;
  let inGroup = { bytes: 0, tables: 0 };
  return tables.map((table) => {
    const isFull = inGroup.tables >= limits.groupTables || inGroup.bytes + table.bytes > limits.groupBytes;
    if (isFull && inGroup.tables > 0) {
      group += 1;
      inGroup = { bytes: 0, tables: 0 };
    }
    inGroup.bytes += table.bytes;
    inGroup.tables += 1;
    return [table, group];
  });
}

function planned({ oid, schema, name, condition, bytes, rows }: TableSize): Omit<PlannedTable, 'parts'> {
  return { oid, schema, name, condition, estimatedBytes: bytes, estimatedRows: rows };
}
