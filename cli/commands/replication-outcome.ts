import type { AcceptedUpdate, MigrationHandle } from '../../client';
import { EXIT, type ExitCode } from '../exit-code';
import { formatName } from '../format';
import { replicationText } from '../live/replication-lines';
import { unlessInterrupted, type Session } from '../session';
import { concerned } from './cutover-progress';

/** Waits until a request is carried out and says how the databases are replicated then, by their live figures. */
export async function reportReplication(
  handle: MigrationHandle,
  accepted: AcceptedUpdate,
  databases: string[] | undefined,
  { output, signal }: Session,
): Promise<ExitCode> {
  const answer = await unlessInterrupted(signal, accepted.result({ signal }));
  if (answer === undefined) return EXIT.detached;
  const { status = answer } = await handle.snapshot();
  if (output.json) output.data(JSON.stringify(status, null, 2));
  else {
    for (const { database, replication } of concerned(status, databases)) {
      const how = replication === undefined ? 'not replicated yet' : replicationText(replication, Date.now());
      output.data(`${formatName(database)}: ${how}`);
    }
  }
  return EXIT.done;
}
