import { parseLsn, type Lsn } from '../lsn';

/**
 * Reads a timeline's history file as the server does: a line for each timeline that it comes from, with the position
 * where that one was left.
 *
 * @returns by timeline, where it was left; the present one is not in it
 */
export function parseTimelineHistory(content: string): Map<number, Lsn> {
  const left = new Map<number, Lsn>();
  for (const line of content.split('\n')) {
    const [, timeline, lsn = ''] = /^\s*(\d+)\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    if (timeline !== undefined) left.set(Number(timeline), parseLsn(lsn));
  }
  return left;
}
