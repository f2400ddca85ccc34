/** What shares a transaction or a statement: round trips and a commit cost more than small tables do. */
const TABLES_TOGETHER = 50;
const BYTES_TOGETHER = 16 * 1024 ** 2;

/**
 * Small tables several at a time, in their order; a large one by itself.
 *
 * @param tables `bytes` as planned
 */
export function* tableBatches<Table extends { bytes: number }>(tables: Table[]): Generator<Table[]> {
  let batch: Table[] = [];
  let bytes = 0;
  for (const table of tables) {
    const isFull = batch.length === TABLES_TOGETHER || bytes + table.bytes > BYTES_TOGETHER;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(table);
    bytes += table.bytes;
  }
  if (batch.length > 0) yield batch;
}
