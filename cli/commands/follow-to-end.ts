import type { MigrationHandle, MigrationSnapshot } from '../../client';
import { EXIT, exitCodeOfStatus, type ExitCode } from '../exit-code';
import { follow } from '../live/follow';
import { createReport, writeReport } from '../report/report';
import { reportText } from '../report/report-text';
import type { Session } from '../session';

/** Follows a migration to its end, reports, and gives the exit code; Ctrl-C detaches and leaves it running. */
export async function followToEnd(
  handle: MigrationHandle,
  session: Session,
  onSnapshot?: (snapshot: MigrationSnapshot) => void,
): Promise<ExitCode> {
  const { engine, output, signal } = session;
  const status = await follow(handle, { output, signal, onSnapshot });
  if (status === undefined) {
    output.say(
      `Detached; the migration goes on. Watch it: flexlift watch ${handle.name}. Cancel it: flexlift cancel ${handle.name}.`,
    );
    return EXIT.detached;
  }
  const report = createReport(engine, handle, status);
  const path = await writeReport(engine.state.reports, report);
  output.data(output.json ? JSON.stringify(report, null, 2) : reportText(report, output.colors));
  output.say(`Report:   ${path}`);
  return exitCodeOfStatus(status);
}
