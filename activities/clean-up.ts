import type { CleanUpStep } from '../contract';
import { dropTargetDatabase, endSessions } from '../postgres/database';
import type { Run } from './support/run';

/** After a cancel: nothing of the migration runs on either server, and the target is kept or dropped as asked. */
export async function cleanUpStep({ database, onCancel }: CleanUpStep, run: Run): Promise<void> {
  const { migrationId } = run.request;
  for (const side of ['source', 'target'] as const) {
    await endSessions({ endpoint: run.endpoint(side), migrationId, database, signal: run.signal });
  }
  if (onCancel === 'drop-target') {
    await dropTargetDatabase({
      target: run.endpoint('target'),
      database,
      identity: run.identity,
      signal: run.signal,
    });
  }
}
