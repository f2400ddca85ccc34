import type { createColors } from 'picocolors';
import type { ChangeCounts, CutoverReport, DatabaseStatus } from '../../client';
import { formatName, formatNumberOf, formatSeconds } from '../format';
import { failureLine } from '../output';

type Colors = ReturnType<typeof createColors>;

/** What only an online migration has to report of a database. */
export function onlineLines(database: DatabaseStatus, colors: Colors): string[] {
  const { replication, cutover, notice, sourceObjects = [] } = database;
  return [
    ...(replication === undefined ? [] : [`Replicated: ${changesText(replication.changes)}`]),
    ...(cutover === undefined ? [] : cutoverLines(cutover, colors)),
    ...(notice === undefined ? [] : [failureLine(notice)]),
    ...(sourceObjects.length === 0 ? [] : [`On the source: ${sourceObjects.map(formatName).join(', ')}`]),
    ...cleanUpLines(database),
  ];
}

/** To be pasted into psql, which is connected to that database of the source. */
function cleanUpLines({ database, cleanUpSql }: DatabaseStatus): string[] {
  if (cleanUpSql === undefined) return [];
  return [
    `It goes by flexlift cleanup, or in database ${formatName(database)} of the source by the SQL below. Both lift the fence, so that`,
    'the old server takes writes again; to keep it, leave out the last statement (DO).',
    ...cleanUpSql.split('\n').map(formatName),
  ];
}

/** How a try went, for how long nobody could write, and why it was called off. */
export function cutoverLines(cutover: CutoverReport, colors: Colors): string[] {
  const { attempt, state, seconds, failure } = cutover;
  const verdict = {
    Running: colors.yellow('under way'),
    Released: colors.green('released'),
    CalledOff: colors.red('called off'),
  }[state];
  const times = phaseTimes(seconds);
  return [
    `Cutover ${attempt}: ${verdict}, ${outageText(cutover)}${times === '' ? '' : ` (${times})`}`,
    ...(failure === undefined ? [] : [failureLine(failure)]),
  ];
}

/** For how long the application could not write. */
export function outageText({ fence, fencedAt, fencedSeconds }: CutoverReport): string {
  if (fence === 'none') return 'without a fence';
  if (fencedSeconds !== undefined)
    return `the application could not write for ${formatSeconds(fencedSeconds)}`;
  return fencedAt === undefined ? 'the source was not fenced' : 'the source is fenced';
}

/** `12,345 inserts, 1 delete in 678 transactions`; a kind that never came is left out. */
export function changesText({ transactions, inserts, updates, deletes, truncates }: ChangeCounts): string {
  const kinds: [number, string][] = [
    [inserts, 'insert'],
    [updates, 'update'],
    [deletes, 'delete'],
    [truncates, 'truncate'],
  ];
  const seen = kinds.filter(([count]) => count > 0).map(([count, kind]) => formatNumberOf(count, kind));
  return seen.length === 0
    ? 'no changes'
    : `${seen.join(', ')} in ${formatNumberOf(transactions, 'transaction')}`;
}

/** In the order in which they ended: `Fence 0.2 s, Drain 1.1 s`. */
export function phaseTimes(seconds: DatabaseStatus['seconds']): string {
  return Object.entries(seconds)
    .map(([phase, taken]) => `${phase} ${formatSeconds(taken)}`)
    .join(', ');
}
