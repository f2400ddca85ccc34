import {
  hasEnded,
  isReadyForCutover,
  type MigrationHandle,
  type MigrationSnapshot,
  type MigrationStatus,
} from '../../client';
import { EXIT, exitCodeOfStatus, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { follow } from '../live/follow';
import { createReport, writeReport } from '../report/report';
import { reportText } from '../report/report-text';
import type { Session } from '../session';

/** Follows a migration to its end, reports, and gives the exit code; Ctrl-C detaches and leaves it running. */
export async function followToEnd(handle: MigrationHandle, session: Session): Promise<ExitCode> {
  const { output, signal } = session;
  const status = await follow(handle, { output, signal });
  return status === undefined ? detached(handle, session) : await reportEnd(handle, status, session);
}

/**
 * As {@link followToEnd}, but leaves an online migration when the next step is a person's: the cutover. A database that
 * has failed is not waited for, and makes it a failure.
 */
export async function followToCutover(handle: MigrationHandle, session: Session): Promise<ExitCode> {
  const { engine, output, signal } = session;
  const until = ({ running, status }: MigrationSnapshot) => running && status !== undefined && waits(status);
  const status = await follow(handle, { output, signal, until });
  if (status === undefined) return detached(handle, session);
  if (!waits(status)) return await reportEnd(handle, status, session);
  const next = `Next: flexlift cutover ${handle.name}`;
  const failed = status.databases.filter(hasFailed).map(({ database }) => database);
  if (output.json) output.data(JSON.stringify(createReport(engine, handle, status), null, 2));
  else if (failed.length === 0) output.data(`Ready for cutover. ${next}`);
  else output.data(`Ready for cutover, but for what failed: ${failed.map(formatName).join(', ')}. ${next}`);
  output.say(`Detached; the migration goes on. Watch it: flexlift watch ${handle.name}.`);
  return failed.length === 0 ? exitCodeOfStatus({ ...status, state: 'WaitingForUserAction' }) : EXIT.failed;
}

/** All databases that go on are ready for their cutover. */
function waits({ endedAt, databases }: MigrationStatus): boolean {
  if (endedAt !== undefined) return false;
  const goingOn = databases.filter((database) => !hasEnded(database));
  return goingOn.length > 0 && goingOn.every(isReadyForCutover);
}

function hasFailed(database: MigrationStatus['databases'][number]): boolean {
  return database.state === 'Failed' || database.state === 'NeedsCleanup';
}

function detached({ name }: MigrationHandle, { output }: Session): ExitCode {
  output.say(
    `Detached; the migration goes on. Watch it: flexlift watch ${name}. Cancel it: flexlift cancel ${name}.`,
  );
  return EXIT.detached;
}

/** Prints the report and keeps it as a file. */
export async function reportEnd(
  handle: MigrationHandle,
  status: MigrationStatus,
  { engine, output }: Session,
): Promise<ExitCode> {
  const report = createReport(engine, handle, status);
  output.data(output.json ? JSON.stringify(report, null, 2) : reportText(report, output.colors));
  try {
    output.say(`Report:   ${await writeReport(engine.state.reports, report)}`);
  } catch (error) {
    // a full disk here says nothing of the migration
    const why = error instanceof Error ? error.message : String(error);
    output.warn(
      `The report could not be kept as a file: ${why}. flexlift show ${handle.name} gives it again.`,
    );
  }
  return exitCodeOfStatus(status);
}
