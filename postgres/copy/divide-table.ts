import type { Client } from 'pg';
import { ctidRanges, keyRanges, type TableRanges } from './part-ranges';
import { rowRanges } from './row-ranges';
import type { TableSize } from './table-sizes';

/** More parts of one table than this would only lengthen histories; its parts grow instead. */
const MOST_PARTS = 200;

/** `ctid` ranges read only their pages from this major on; below it each would scan the whole table. */
const FIRST_MAJOR_WITH_RANGE_SCAN = 14;

/** A table in TOAST has so many bytes for each of its own pages: to read those costs nothing beside the values. */
const BYTES_PER_PAGE_IN_TOAST = 64 * 1024;

/** More pages are not read to divide a table: whoever waits for one of the others' locks would wait for that, too. */
const MOST_PAGES_READ = 2_048;

/** Pages divide a table well where each of its parts has as many as this, whatever rows lie in them. */
const MANY_PAGES_PER_PART = 64;

/** A table in TOAST that is copied in two parts is not smaller: a part's steps would outweigh what it saves. Bytes. */
const LEAST_IN_TWO_PARTS = 64 * 1024 ** 2;

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
  /** It is so much of its database that copies would stand idle while the last one is still at it. */
  isLongest: boolean;
}

/**
 * A table in TOAST that is copied longest goes in two parts at least: one session reads or stores values while the other waits
 * for its own. bench/README.md has the figures.
 *
 * @returns one range without bounds: the whole table
 */
export async function divideTable(args: DivideTableArguments): Promise<TableRanges> {
  const { source, major, table, partBytes } = args;
  const parts = Math.min(MOST_PARTS, Math.ceil(table.bytes / partBytes));
  const whole = { ranges: [{}] };
  if (table.condition !== undefined) return whole;
  const byRows = await rangesOfToasted(args, parts);
  if (byRows !== undefined) return byRows;
  if (parts < 2) return whole;
  if (hasRangeScan(major, table)) return ctidRanges(table.pages, parts);
  return await keyRanges(source, table, parts);
}

/** @returns `undefined` where it is divided as any other table, or not at all */
async function rangesOfToasted(
  { source, major, table, isLongest }: DivideTableArguments,
  parts: number,
): Promise<TableRanges | undefined> {
  const { bytes, pages, heap } = table;
  const isReadFast = heap && pages <= Math.min(bytes / BYTES_PER_PAGE_IN_TOAST, MOST_PAGES_READ);
  const isWorthIt =
    parts < 2
      ? isLongest && bytes >= LEAST_IN_TWO_PARTS
      : !hasRangeScan(major, table) || pages < parts * MANY_PAGES_PER_PART;
  if (!isReadFast || !isWorthIt) return undefined;
  const measured = await rowRanges(source, table, Math.max(2, parts));
  if (measured === undefined || measured.largestRow > LARGEST_ROW_BESIDE_ANOTHER) return undefined;
  return { ranges: measured.ranges };
}

function hasRangeScan(major: number, table: TableSize): boolean {
  return major >= FIRST_MAJOR_WITH_RANGE_SCAN && table.heap;
}
