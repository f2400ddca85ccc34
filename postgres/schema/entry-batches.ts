import { isForeignKey } from './entry-stage';

/** So many entries share a transaction. */
const ENTRIES_TOGETHER = 100;
/** Of the tables that entries of one transaction read. */
const BYTES_TOGETHER = 64 * 1024 ** 2;

/** What reads a table: with a large one, alone in its transaction, lest an hour's work be lost with its neighbour. */
const READING = ['INDEX', 'CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT'];

interface SizedEntry {
  description: string;
  bytes: number | null;
}

/**
 * Entries that share a transaction, in their order.
 *
 * @param options.online while changes are applied: a foreign key is alone with its two tables' locks, for whoever waits for
 * a third while it holds them keeps the applier waiting, and may meet it in a deadlock
 */
export function* entryBatches<Entry extends SizedEntry>(
  entries: Entry[],
  { online }: { online: boolean },
): Generator<Entry[]> {
  let batch: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const read = bytesRead(entry, online);
    const isFull = batch.length === ENTRIES_TOGETHER || bytes + read > BYTES_TOGETHER;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += read;
  }
  if (batch.length > 0) yield batch;
}

function bytesRead(entry: SizedEntry, online: boolean): number {
  const { description, bytes } = entry;
  if (!READING.includes(description)) return 0;
  if (online && isForeignKey(entry)) return Infinity;
  return bytes ?? Infinity;
}
