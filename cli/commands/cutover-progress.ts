import {
  hasEnded,
  isReadyForCutover,
  type AcceptedUpdate,
  type DatabaseStatus,
  type MigrationHandle,
  type MigrationSnapshot,
  type MigrationStatus,
} from '../../client';
import { EXIT, exitCodeOfCutover, UsageError, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { follow } from '../live/follow';
import type { Output } from '../output';
import { cutoverLines } from '../report/online-text';
import { createReport } from '../report/report';
import { differenceLines } from '../report/report-text';
import type { Session } from '../session';
import { reportEnd } from './follow-to-end';

/** A cutover takes seconds. Milliseconds. */
const INTERVAL = 500;

/**
 * The named databases, or all that go on.
 *
 * @throws UsageError where the migration has none of that name
 */
export function concerned({ databases }: MigrationStatus, named: string[] | undefined): DatabaseStatus[] {
  const unknown = named?.find((name) => !databases.some(({ database }) => database === name));
  if (unknown !== undefined && databases.length > 0) {
    throw new UsageError(
      `--database: the migration has no database ${JSON.stringify(unknown)}. It has ` +
        `${databases.map(({ database }) => JSON.stringify(database)).join(', ')}.`,
    );
  }
  return databases.filter((one) => (named === undefined ? !hasEnded(one) : named.includes(one.database)));
}

/**
 * Shows the migration until its databases can be cut over, or cannot be any more: what then stands in the way is the
 * migration's to say. `undefined`: Ctrl-C came first.
 */
export async function awaitReadiness(
  handle: MigrationHandle,
  named: string[] | undefined,
  { output, signal }: Session,
): Promise<MigrationStatus | undefined> {
  const until = ({ status }: MigrationSnapshot) => status !== undefined && needNotWait(status, named);
  const status = await follow(handle, { output, signal, until });
  if (status === undefined) output.say('No cutover was asked for; the migration goes on.');
  return status;
}

/** What comes next is a person's to say: none of them still loads or catches up. */
export function needNotWait(status: MigrationStatus, named: string[] | undefined): boolean {
  if (status.mode !== 'Online') return true;
  const databases = concerned(status, named);
  const needs = (one: DatabaseStatus) =>
    !hasEnded(one) && one.cutover?.state !== 'Running' && !isReadyForCutover(one) && !isHalted(one);
  return status.databases.length > 0 && !databases.some(needs);
}

/** It goes on when somebody says so. */
function isHalted({ replication }: DatabaseStatus): boolean {
  return replication?.state === 'Stopped' || replication?.state === 'Paused';
}

/** Shows a cutover to its end and reports it. */
export async function followCutover(
  handle: MigrationHandle,
  accepted: AcceptedUpdate,
  named: string[] | undefined,
  session: Session,
): Promise<ExitCode> {
  const { engine, output, signal } = session;
  let answeredAt = Infinity;
  let refused = false;
  void accepted
    .result({ signal })
    .catch(() => (refused = true))
    .finally(() => (answeredAt = Date.now()));
  // a snapshot from before the answer may still show the try before
  const until = ({ takenAt, status }: MigrationSnapshot) =>
    refused || (Date.parse(takenAt) >= answeredAt && status !== undefined && isOver(status, named));
  const status = await follow(handle, { output, signal, interval: INTERVAL, until });
  if (status === undefined) {
    output.say(
      `Detached; the cutover goes on. Watch it: flexlift watch ${handle.name}. ` +
        `Call it off: flexlift cutover ${handle.name} --abort.`,
    );
    return EXIT.detached;
  }
  if (refused) await accepted.result();
  const databases = concerned(status, named);
  if (status.endedAt !== undefined) await reportEnd(handle, status, session);
  else if (output.json) output.data(JSON.stringify(createReport(engine, handle, status), null, 2));
  else sayCutovers(databases, output);
  sayWhatNext(handle, databases, output);
  return exitCodeOfCutover(databases);
}

/** A released database still has its slot taken from the source; with the last one the migration ends, a moment later. */
function isOver(status: MigrationStatus, named: string[] | undefined): boolean {
  const isLast = status.endedAt === undefined && status.databases.every(hasEnded);
  if (isLast) return false;
  return concerned(status, named).every((one) => hasEnded(one) || one.cutover?.state === 'CalledOff');
}

/** On stdout: how each went, and for how long nobody could write. */
export function sayCutovers(databases: DatabaseStatus[], output: Output): void {
  const { colors } = output;
  for (const { database, cutover, differences } of databases) {
    if (cutover === undefined) continue;
    output.data(colors.bold(`Database ${formatName(database)}`));
    for (const line of cutoverLines(cutover, colors)) output.data(line);
    for (const line of differenceLines(differences, colors)) output.data(line);
  }
}

function sayWhatNext({ name }: MigrationHandle, databases: DatabaseStatus[], output: Output): void {
  const released = databases.filter(({ cutover }) => cutover?.state === 'Released');
  if (released.some(({ cutover }) => cutover?.fence !== 'none')) {
    output.say(
      `Point the applications to the target. The source stays fenced, until flexlift unfence ${name}.`,
    );
  }
  if (released.length < databases.length) {
    output.say('What was called off takes writes on the source again, and is replicated on.');
  }
}
