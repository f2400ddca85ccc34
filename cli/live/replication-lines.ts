import {
  hasEnded,
  type CutoverReport,
  type DatabaseProgress,
  type DatabaseStatus,
  type MigrationStatus,
  type ReplicationState,
  type ReplicationStatus,
} from '../../client';
import { formatBytes, formatCount, formatName, formatNumberOf, formatSeconds } from '../format';
import { failureLine } from '../output';
import { changesText, phaseTimes } from '../report/online-text';

const STATES: Record<ReplicationState, string> = {
  CatchingUp: 'catching up',
  ReadyForCutover: 'ready for cutover',
  Paused: 'paused',
  Stopped: 'stopped',
};

/** The source gives up the WAL we need so soon: a person is told. Seconds. */
const LIMIT_NEAR = 3_600;
const MOST_NAMED = 5;
/** Figures of an applier at work are younger. Seconds. */
const OLD = 30;

/**
 * How the replication of a database stands; what a person waits for comes first.
 *
 * @param now milliseconds
 */
export function replicationText(
  replication: ReplicationStatus,
  now: number,
  recopy?: DatabaseProgress['recopy'],
): string {
  const { state, at, lagBytes, lagSeconds, changes, changesPerSecond, proven } = replication;
  const { waitingForeignKeys: waiting = 0 } = replication;
  const age = (now - Date.parse(at)) / 1_000;
  return [
    STATES[state],
    ...(age < OLD ? [] : [`as of ${formatSeconds(age)} ago`]),
    `${formatBytes(lagBytes)} and ${formatSeconds(lagSeconds)} behind`,
    ...(recopy === undefined ? [] : [recopyText(recopy)]),
    `${formatCount(Math.round(changesPerSecond))} changes/s`,
    changesText(changes),
    retainedText(replication),
    `${formatCount(proven.tables)}/${formatCount(proven.total)} tables proven`,
    ...(waiting === 0 ? [] : [`${formatNumberOf(waiting, 'foreign key')} left to the cutover`]),
  ].join(', ');
}

/**
 * The steps of a cutover under way, each with its time.
 *
 * @param at milliseconds
 */
export function cutoverText(
  { attempt, startedAt, fencedAt, underWay = [], seconds }: CutoverReport,
  at: number,
): string {
  const since = (instant: string) => formatSeconds(Math.max(0, (at - Date.parse(instant)) / 1_000));
  const times = phaseTimes(seconds);
  return [
    `cutover ${attempt} for ${since(startedAt)}`,
    ...(fencedAt === undefined ? [] : [`source fenced for ${since(fencedAt)}`]),
    ...(underWay.length < 2 ? [] : [`${underWay.join(' and ')} side by side`]),
    ...(times === '' ? [] : [times]),
  ].join(', ');
}

/** What a person should look at in an online migration, one sentence with its remedy each. */
export function onlineTrouble({ name, databases }: MigrationStatus): string[] {
  return databases.flatMap((database) => {
    const where = formatName(database.database);
    const { notice, replication } = database;
    const now = hasEnded(database)
      ? []
      : [...replicationTrouble(replication, name), ...driftTrouble(database, name), ...calledOff(database)];
    return [...now, ...(notice === undefined ? [] : [failureLine(notice)])].map(
      (line) => `${where}: ${line}`,
    );
  });
}

function replicationTrouble(replication: ReplicationStatus | undefined, name: string): string[] {
  if (replication === undefined) return [];
  const { state, failure, stoppedTables, secondsToLimit, proofsPostponed } = replication;
  const isPaused = state === 'Paused';
  const isLimitNear = secondsToLimit !== undefined && secondsToLimit < LIMIT_NEAR;
  return [
    ...(failure === undefined ? [] : [`stopped: ${failureLine(failure)}`]),
    ...(isPaused ? [`paused by request; the source keeps its WAL. Go on: flexlift resume ${name}.`] : []),
    ...(isLimitNear
      ? ['the source soon drops WAL that is not applied yet. Raise its max_slot_wal_keep_size.']
      : []),
    ...(proofsPostponed === undefined ? [] : [`proofs wait: ${formatName(proofsPostponed)}`]),
    ...named(
      stoppedTables.map(
        ({ table, failure: why }) => `table ${formatName(table)} stopped: ${failureLine(why)}`,
      ),
    ),
  ];
}

/** A difference says what it is; what to do about it is the same for all of them. */
function driftTrouble({ database, replication }: DatabaseStatus, name: string): string[] {
  const drift = replication?.drift ?? [];
  if (drift.length === 0) return [];
  const lines = drift.map(
    ({ object, message }) => `schema drift in ${formatName(object)}: ${formatName(message)}`,
  );
  return [...named(lines), driftRemedy(name, database)];
}

function named(lines: string[]): string[] {
  const more = lines.length - MOST_NAMED;
  return more <= 0 ? lines : [...lines.slice(0, MOST_NAMED), `and ${more} more like this; see --json.`];
}

function driftRemedy(name: string, database: string): string {
  const option = `--database ${shellWord(formatName(database))}`;
  return (
    'the drift stops the cutover. Undo it; or make it on the target too, then: ' +
    `flexlift resume ${name} ${option} --accept-drift.`
  );
}

/** It is news until the next try. */
function calledOff({ cutover }: DatabaseStatus): string[] {
  if (cutover?.state !== 'CalledOff' || cutover.failure === undefined) return [];
  return [`cutover ${cutover.attempt} was called off: ${failureLine(cutover.failure)}`];
}

function retainedText({ retainedBytes, retainedLimitBytes, secondsToLimit }: ReplicationStatus): string {
  const limit = retainedLimitBytes === undefined ? '' : ` of ${formatBytes(retainedLimitBytes)}`;
  const left = secondsToLimit === undefined ? '' : `, full in ${formatSeconds(secondsToLimit)}`;
  return `source keeps ${formatBytes(retainedBytes)}${limit} of WAL${left}`;
}

function recopyText({ done, total }: { done: number; total: number }): string {
  return total > done
    ? `copying anew ${formatBytes(done)} of about ${formatBytes(total)}`
    : `copying anew ${formatBytes(done)}`;
}

/** To be pasted into a shell. */
function shellWord(text: string): string {
  return /^[\w.-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}
