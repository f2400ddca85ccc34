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

/** More pages are not read to divide a table: locks are held meanwhile, and somebody may wait for them. */
const MOST_PAGES_READ = 2_048;

/** Pages divide a table well where each of its parts has as many as this, whatever rows lie in them. */
const MANY_PAGES_PER_PART = 64;

/** A table in TOAST that is copied in two parts is not smaller: a part's steps would outweigh what it saves. Bytes. */
const LEAST_IN_TWO_PARTS = 64 * 1024 ** 2;

/**
 * Larger rows are not sent side by side for the sake of speed: each stands several times over in the memory of either
 * server. Bytes, as stored.
 */
const LARGEST_ROW_BESIDE_ANOTHER = 256 * 1024 ** 2;

export interface DivideTableArguments {
  /** In a transaction that stands in a snapshot. */
  source: Client;
  /** Of the source's version. */
  major: number;
  table: TableSize;
  /** Of about this size a part is. */
  partBytes: number;
  /** It is more of its database than one of the copies that go on at a time. */
  exceedsShare: boolean;
}

/**
 * Parts of about the same size: by rows where pages would not do, else by pages, else by a key. A table in TOAST that is
 * copied longer than others goes in two at least: one session reads or stores values while the other waits for its own;
 * bench/README.md has the figures.
 *
 * @returns one range without bounds: the whole table
 */
export async function divideTable(args: DivideTableArguments): Promise<TableRanges> {
  const { source, major, table, partBytes } = args;
  const whole = { ranges: [{}] };
  if (table.condition !== undefined) return whole;
  const least = Math.min(MOST_PARTS, Math.ceil(table.bytes / partBytes));
  const parts = least < 2 && isFasterInTwo(args) ? 2 : least;
  if (parts < 2) return whole;
  const hasRangeScan = major >= FIRST_MAJOR_WITH_RANGE_SCAN && table.heap;
  const pagesDivideIt = hasRangeScan && table.pages >= parts * MANY_PAGES_PER_PART;
  const isReadFast = isInToast(table) && table.pages <= MOST_PAGES_READ;
  if (isReadFast && (least < 2 || !pagesDivideIt)) {
    const measured = await rowRanges(source, table, parts);
    if (measured !== undefined && measured.largestRow <= LARGEST_ROW_BESIDE_ANOTHER) return measured;
    if (least < 2) return whole;
  }
  if (hasRangeScan) return ctidRanges(table.pages, parts);
  return await keyRanges(source, table, parts);
}

function isInToast({ heap, bytes, pages }: TableSize): boolean {
  return heap && pages * BYTES_PER_PAGE_IN_TOAST <= bytes;
}

function isFasterInTwo({ table, exceedsShare }: DivideTableArguments): boolean {
  return exceedsShare && table.bytes >= LEAST_IN_TWO_PARTS && isInToast(table);
}
