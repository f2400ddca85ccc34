import type { createColors } from 'picocolors';
import {
  fractionDone,
  hasEnded,
  type DatabaseProgress,
  type MigrationSnapshot,
  type RunningActivity,
} from '../../client';
import { formatBytes, formatCount, formatName, formatSeconds } from '../format';
import { failureLine } from '../output';
import { cutoverText, onlineTrouble, replicationText } from './replication-lines';
import { throttleText } from './throttle-text';

type Colors = ReturnType<typeof createColors>;

export interface LineOptions {
  colors: Colors;
  /** At most so many databases are shown, those under way first. */
  databases: number;
}

const BAR = 20;
const LONGEST_NAME = 30;
const MOST_NAMED = 3;

/** The state of a migration as lines, one per database, then what holds it up. */
export function progressLines(
  snapshot: MigrationSnapshot,
  figures: DatabaseProgress[],
  { colors, databases }: LineOptions,
): string[] {
  const shown = chooseShown(figures, databases);
  const widths = {
    name: Math.max(0, ...shown.map(({ database }) => displayName(database).length)),
    phase: Math.max(0, ...shown.map(({ phase }) => phase.length)),
  };
  const at = Date.parse(snapshot.takenAt);
  return [
    ...(figures.length === 0 ? [waitingLine(snapshot)] : []),
    ...shown.map((database) => databaseLine(database, { widths, colors, at })),
    ...hiddenLine(figures, shown),
    ...throttleLine(snapshot),
    ...trouble(snapshot).map((line) => colors.yellow(line)),
  ];
}

/** What holds a migration up: steps that wait for their next try, stopped tables, drift, no worker, no Temporal. */
export function trouble({ activities, notice, takenAt, status }: MigrationSnapshot): string[] {
  const online = status === undefined ? [] : onlineTrouble(status);
  const waiting = retrying(activities, Date.parse(takenAt));
  return [...waiting, ...online, ...(notice === undefined ? [] : [notice])];
}

/**
 * The steps that failed and are tried again, those of one reason in one line.
 *
 * @param now milliseconds
 */
export function retrying(activities: RunningActivity[], now: number): string[] {
  const byStory = new Map<string, RunningActivity[]>();
  for (const activity of activities.filter(isRetrying)) {
    const where = activity.database === undefined ? '' : `${displayName(activity.database)}: `;
    const story = `${where}${activity.failure === undefined ? '' : failureLine(activity.failure)}`;
    byStory.set(story, [...(byStory.get(story) ?? []), activity]);
  }
  return [...byStory].map(([story, same]) => `${story} (${retryText(same, now)})`);
}

/** What failed for one and the same reason: `copyPart, attempt 3, next try in 5 s`. */
function retryText(same: RunningActivity[], now: number): string {
  const what = [...new Set(same.map((activity) => formatName(activity.what)))];
  const others = what.length > MOST_NAMED ? ` and ${what.length - MOST_NAMED} more` : '';
  const attempt = Math.max(...same.map((activity) => activity.attempt));
  const tries = same.flatMap(({ nextTryAt }) => (nextTryAt === undefined ? [] : [Date.parse(nextTryAt)]));
  const wait = (Math.min(...tries) - now) / 1_000;
  const next = tries.length > 0 && wait > 0 ? `, next try in ${formatSeconds(wait)}` : '';
  return `${what.slice(0, MOST_NAMED).join(', ')}${others}, attempt ${attempt}${next}`;
}

/**
 * One database in one line of plain text.
 *
 * @param at milliseconds
 */
export function databaseText(progress: DatabaseProgress, at: number): string {
  return `${displayName(progress.database)} ${progress.phase} ${onlineText(progress, at) ?? amounts(progress)}`.trimEnd();
}

/** `undefined`: it is neither replicated nor cut over at the moment. */
function onlineText({ phase, state, replication, cutover, recopy }: DatabaseProgress, at: number) {
  if (hasEnded({ state })) return undefined;
  if (cutover?.state === 'Running') return cutoverText(cutover, at);
  return phase === 'Replicate' && replication !== undefined
    ? replicationText(replication, at, recopy)
    : undefined;
}

/** A step that failed and has shown no progress since. */
function isRetrying({ failure, state, bytes, rows }: RunningActivity): boolean {
  return failure !== undefined && (state === 'waiting' || bytes + rows === 0);
}

function throttleLine({ status }: MigrationSnapshot): string[] {
  const text = throttleText(status?.throttle);
  return text === undefined ? [] : [text];
}

function waitingLine({ status }: MigrationSnapshot): string {
  return status === undefined ? 'Waiting for a worker' : 'Validating';
}

function databaseLine(
  progress: DatabaseProgress,
  { widths, colors, at }: { widths: { name: number; phase: number }; colors: Colors; at: number },
): string {
  const online = onlineText(progress, at);
  const name = displayName(progress.database).padEnd(widths.name);
  const phase = progress.phase.padEnd(widths.phase);
  if (progress.state === 'Failed') return `${name}  ${colors.red(phase)}  failed`;
  if (progress.state === 'NeedsCleanup') return `${name}  ${colors.red(phase)}  needs clean-up`;
  if (progress.state === 'Canceled') return `${name}  ${colors.yellow(phase)}  canceled`;
  if (online !== undefined) return `${name}  ${phase}  ${online}`;
  if (progress.phase === 'Done') return `${name}  ${colors.green(phase)}  ${amounts(progress)}`;
  if (progress.phase !== 'Load') return `${name}  ${phase}  ${amounts(progress)}`.trimEnd();
  return `${name}  ${phase}  ${bar(fractionDone(progress))}  ${amounts(progress)}`;
}

function bar(fraction: number): string {
  const full = Math.floor(fraction * BAR);
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  return `${'█'.repeat(full)}${'░'.repeat(BAR - full)} ${percent}`;
}

function amounts({
  phase,
  tables,
  rows,
  bytes,
  indexes,
  bytesPerSecond,
  secondsLeft,
}: DatabaseProgress): string {
  if (tables.total === 0 && bytes.done === 0) return '';
  const loading = phase === 'Load';
  // what a person waits for comes first: a narrow terminal cuts off the end
  const parts = [
    bytesPerSecond === undefined ? '' : `${formatBytes(bytesPerSecond)}/s`,
    secondsLeft === undefined ? '' : `${formatSeconds(secondsLeft)} left`,
    loading && bytes.total > bytes.done && tables.done < tables.total
      ? `${formatBytes(bytes.done)} of about ${formatBytes(bytes.total)}`
      : formatBytes(bytes.done),
    loading ? `${tables.done}/${tables.total} tables` : `${formatCount(tables.done)} tables`,
    indexes === undefined || indexes.total === 0 ? '' : `${indexes.done}/${indexes.total} indexes`,
    `${formatCount(rows)} rows`,
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function chooseShown(figures: DatabaseProgress[], most: number): DatabaseProgress[] {
  if (figures.length <= most) return figures;
  const interest = ({ phase, state }: DatabaseProgress): number => {
    if (state === 'Failed' || state === 'NeedsCleanup') return 1;
    return phase === 'Done' ? 3 : phase === 'Queued' ? 2 : 0;
  };
  const chosen = new Set([...figures].sort((a, b) => interest(a) - interest(b)).slice(0, most));
  return figures.filter((progress) => chosen.has(progress));
}

function hiddenLine(figures: DatabaseProgress[], shown: DatabaseProgress[]): string[] {
  const hidden = figures.filter((progress) => !shown.includes(progress));
  if (hidden.length === 0) return [];
  const done = hidden.filter(({ phase }) => phase === 'Done').length;
  const queued = hidden.filter(({ phase }) => phase === 'Queued').length;
  return [
    `and ${hidden.length} more: ${done} done, ${queued} queued, ${hidden.length - done - queued} others`,
  ];
}

function displayName(name: string): string {
  const visible = formatName(name);
  return visible.length <= LONGEST_NAME ? visible : `${visible.slice(0, LONGEST_NAME - 1)}…`;
}
