import type { MigrationHandle, TidySourceRequest } from '../../client';
import { ensureWorker } from '../engine';
import { EXIT, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { retrying } from '../live/progress-lines';
import { TroubleTeller } from '../live/progress-view';
import type { Session } from '../session';

/** Has a worker take away what an ended migration has left on its source, and prints what that was. */
export async function tidy(
  handle: MigrationHandle,
  what: TidySourceRequest['what'],
  databases: string[] | undefined,
  { engine, client, output, signal }: Session,
): Promise<ExitCode> {
  await ensureWorker(engine, client, handle.run.pool, { output, signal });
  const teller = new TroubleTeller(output);
  const removed = await client.tidy(handle.workflowId, what, {
    databases,
    signal,
    onActivities: (activities) => teller.tell(retrying(activities, Date.now())),
  });
  if (output.json) output.data(JSON.stringify({ version: 1, removed }, null, 2));
  else for (const one of removed) output.data(formatName(one));
  output.say(removed.length === 0 ? 'Nothing was there.' : 'Taken away from the source.');
  return EXIT.done;
}
