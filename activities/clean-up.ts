import type { CleanUpResult, CleanUpStep } from '../contract';
import { dropTargetDatabase, endSessions, openTargetDatabase } from '../postgres/database';
import type { Run } from './support/run';
import { isForPerson, removeSourceObjects, whatIsLeft } from './source-objects';

/** So often a source that does not answer is asked; then a person is told what to do there. */
const SOURCE_ATTEMPTS = 3;

/**
 * After a cancel: nothing of the migration runs or stands on the source, nothing of it runs on the target, which is kept
 * or dropped as asked. The source comes first: what stands there keeps its WAL, and its writers out.
 */
export async function cleanUpStep(step: CleanUpStep, run: Run): Promise<CleanUpResult> {
  const { database, onCancel } = step;
  const { migrationId } = run.request;
  const target = run.endpoint('target');
  // a target that is gone must not keep the application out
  await cleanUpSource(step, run);
  await endSessions({ endpoint: target, migrationId, database, signal: run.signal });
  // until now something late could have made it anew
  const result = await cleanUpSource(step, run);
  const end = onCancel === 'drop-target' ? dropTargetDatabase : openTargetDatabase;
  await end({ target, database, identity: run.identity, signal: run.signal });
  return result;
}

async function cleanUpSource(step: CleanUpStep, run: Run): Promise<CleanUpResult> {
  const { migrationId, mode } = run.request;
  try {
    await endSessions({
      endpoint: run.endpoint('source'),
      migrationId,
      database: step.database,
      signal: run.signal,
    });
    if (mode === 'Online') await removeSourceObjects({ ...step, what: 'all' }, run);
    return {};
  } catch (error) {
    if (!isForPerson(error, { isLast: run.attempt >= SOURCE_ATTEMPTS })) throw error;
    // offline nothing but sessions could be there
    return mode === 'Online' ? { left: whatIsLeft(step, run, error) } : {};
  }
}
