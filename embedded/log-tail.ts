import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';

const MAX_BYTES = 4096;

/** The last lines of a log that were written from the byte `from` on, as part of a sentence. */
export function logTail(file: string, from = 0): string {
  if (!existsSync(file)) return 'its log is empty';
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(from, size - MAX_BYTES);
    const bytes = Buffer.alloc(Math.max(0, size - start));
    readSync(descriptor, bytes, 0, bytes.length, start);
    const lines = bytes.toString('utf8').trim().split('\n').slice(-5).join(' | ');
    return lines === '' ? 'its log is empty' : `its log ends with ${JSON.stringify(lines)}`;
  } finally {
    closeSync(descriptor);
  }
}
