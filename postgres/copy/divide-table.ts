import type { Client } from 'pg';
import { ctidRanges, keyRanges, type TableRanges } from './part-ranges';
import { rowRanges } from './row-ranges';
import type { TableSize } from './table-sizes';

/** More parts of one table than this would only lengthen histories; its parts grow instead. */
const MOST_PARTS = 200;

/** `ctid` ranges read only their pages from this major on; below it each would scan the whole table. */
const FIRST_MAJOR_WITH_RANGE_SCAN = 14;

/** A table in TOAST is one whose own pages are at most this share of it: any scan of them costs nothing beside the values. */
const OWN_PAGES_OF_TOASTED = 1 / 8;

/** A table in TOAST is measured row by row where its own pages are no more than this. Bytes. */
const MOST_MEASURED = 128 * 1024 ** 2;

/**
 * A table in TOAST of this size, that is so much of its database that little else goes on beside it, is copied in two parts at
 * least: one session reads or stores values while the other waits for its own. bench/README.md has the figures.
 */
const TWO_PARTS = { bytes: 64 * 1024 ** 2, shareOfDatabase: 1 / 4 };

/** Larger rows go one at a time: each stands several times over in the memory of either server. Bytes, as stored. */
const LARGEST_ROW_BESIDE_ANOTHER = 256 * 1024 ** 2;

export interface DivideTableArguments {
  /** In a transaction that stands in a snapshot. */
  source: Client;
  /** Of the source's version. */
  major: number;
  table: TableSize;
  /** Of about this size a part is. */
  partBytes: number;
  /** Of all tables that are copied. */
  databaseBytes: number;
}

/** One range without bounds: the whole table. */
export async function divideTable(args: DivideTableArguments): Promise<TableRanges> {
  const { source, major, table, partBytes } = args;
  const parts = Math.min(MOST_PARTS, Math.ceil(table.bytes / partBytes));
  const whole = { ranges: [{}] };
  if (table.condition !== undefined) return whole;
  const byRows = await rangesOfToasted(args, parts);
  if (byRows !== undefined) return byRows;
  if (parts < 2) return whole;
  if (major >= FIRST_MAJOR_WITH_RANGE_SCAN && table.heap) return ctidRanges(table.pages, parts);
  return await keyRanges(source, table, parts);
}

/** @returns `undefined` for a table that is not in TOAST, has too many rows to measure them, or is not to be divided */
async function rangesOfToasted(
  { source, table, databaseBytes }: DivideTableArguments,
  parts: number,
): Promise<TableRanges | undefined> {
  const { bytes, ownBytes, heap } = table;
  const isMeasured = heap && ownBytes <= Math.min(bytes * OWN_PAGES_OF_TOASTED, MOST_MEASURED);
  const isAlone = bytes >= Math.max(TWO_PARTS.bytes, databaseBytes * TWO_PARTS.shareOfDatabase);
  if (!isMeasured || (parts < 2 && !isAlone)) return undefined;
  const measured = await rowRanges(source, table, Math.max(2, parts));
  if (measured === undefined) return undefined;
  const { largestRow, ranges } = measured;
  return parts < 2 && largestRow > LARGEST_ROW_BESIDE_ANOTHER ? undefined : { ranges };
}
