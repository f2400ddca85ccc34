import type { CleanUpResult, CleanUpStep, FailureFields } from '../contract';
import { serverName } from '../postgres/connect';
import { dropTargetDatabase, endSessions, openTargetDatabase } from '../postgres/database';
import type { Run } from './support/run';
import { isForPerson, removeSourceObjects, whatIsLeft } from './source-objects';

/** So often a server that does not answer is asked; then a person is told what to do there. */
const ATTEMPTS = 3;

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
  const silent = await targetLeft(step, run, () =>
    endSessions({ endpoint: target, migrationId, database, signal: run.signal }),
  );
  // until now something late could have made it anew
  const result = await cleanUpSource(step, run);
  if (silent !== undefined) return { ...result, targetLeft: silent };
  const end = onCancel === 'drop-target' ? dropTargetDatabase : openTargetDatabase;
  const left = await targetLeft(step, run, () =>
    end({ target, database, identity: run.identity, signal: run.signal }),
  );
  return left === undefined ? result : { ...result, targetLeft: left };
}

/** @returns why it could not be done, and never will by itself; a cancellation has to end all the same */
async function targetLeft(
  { database, onCancel }: CleanUpStep,
  run: Run,
  work: () => Promise<unknown>,
): Promise<FailureFields | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!isForPerson(error, { isLast: run.attempt >= ATTEMPTS })) throw error;
    const { target } = run.request;
    return {
      code: 'CleanUpNeeded',
      sentence: `The target is left as it was: ${error.fields.sentence}`,
      remedy:
        onCancel === 'drop-target'
          ? 'Drop the database there yourself, unless it is gone for good.'
          : 'If it is not gone for good and is to be used, drop the schema flexlift there.',
      side: 'target',
      server: serverName(target),
      database,
    };
  }
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
    if (!isForPerson(error, { isLast: run.attempt >= ATTEMPTS })) throw error;
    // offline nothing but sessions could be there
    return mode === 'Online' ? { left: whatIsLeft(step, run, error) } : {};
  }
}
