import { FlexliftError, type CleanUpStep } from '../contract';
import { dropTargetDatabase, endSessions } from '../postgres/database';
import type { Run } from './support/run';

/** So often a source that does not answer is asked; then it is let be, for only sessions of ours could be there. */
const SOURCE_ATTEMPTS = 3;

/** After a cancel: nothing of the migration runs on either server, and the target is kept or dropped as asked. */
export async function cleanUpStep({ database, onCancel }: CleanUpStep, run: Run): Promise<void> {
  const { migrationId } = run.request;
  const target = run.endpoint('target');
  await endSessions({ endpoint: target, migrationId, database, signal: run.signal });
  if (onCancel === 'drop-target') {
    await dropTargetDatabase({ target, database, identity: run.identity, signal: run.signal });
  }
  try {
    await endSessions({ endpoint: run.endpoint('source'), migrationId, database, signal: run.signal });
  } catch (error) {
    const isGone = error instanceof FlexliftError && error.code === 'Unreachable';
    if (!isGone || run.attempt < SOURCE_ATTEMPTS) throw error;
  }
}
