/** What a table's rows come to, whatever their order. */
export interface TableChecksum {
  /** Number of rows, a bigint as text. */
  rows: string;
  /** Sum of the rows' 64-bit hashes, exact, as text; `0` for an empty table. */
  checksum: string;
}

export function haveEqualRows(one: TableChecksum, other: TableChecksum): boolean {
  return one.rows === other.rows && one.checksum === other.checksum;
}
