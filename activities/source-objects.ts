import type { Client } from 'pg';
import {
  FlexliftError,
  type DatabaseStep,
  type LeftOnSource,
  type PreparedSource,
  type TidyResult,
  type TidyStep,
} from '../contract';
import { liftFence, liftFenceStatement } from '../postgres/fence';
import { endPredecessors, migrationPrefix, serverName, withConnection } from '../postgres/connect';
import { resetAllForRecopy } from '../postgres/copy';
import {
  cleanUpStatements,
  newSlot,
  prepareSource,
  slotName,
  publicationNames,
  takeAwaySourceObjects,
} from '../postgres/replicate/source';
import type { Run } from './support/run';
import { undoLastCutover } from './support/undo-cutover';

/** So often a source that does not answer is asked; then a person is told what to do there. */
const SOURCE_ATTEMPTS = 5;

export async function prepareSourceStep(step: DatabaseStep, run: Run): Promise<PreparedSource> {
  const isLaterRun = step.request.generation > 1;
  // the run before may have ended in the middle of it
  if (isLaterRun) await undoLastCutover(step.database, run);
  try {
    const { sourceObjects } = await prepareSource(preparation(step, run));
    return { sourceObjects };
  } catch (error) {
    // the run before has ended, and its end took the slot away
    if (!(error instanceof FlexliftError && error.code === 'SlotLost' && isLaterRun)) throw error;
    return await startStreamAnew(step, run, `run ${step.request.generation}`);
  }
}

/**
 * All tables are copied anew, and the stream begins at a new slot.
 *
 * @param order once for each of these; absent: as often as this is called
 */
export async function startStreamAnew(
  step: DatabaseStep,
  run: Run,
  order: string | undefined,
): Promise<PreparedSource> {
  const { identity, signal } = run;
  await withConnection(run.endpoint('target'), step.database, signal, async (target) => {
    // a worker that stands still keeps its sessions, and what they have locked, though nobody waits for it any more
    await endPredecessors(target, migrationPrefix(step.request.migrationId));
    await resetAllForRecopy({ target, identity, order });
  });
  const { sourceObjects } = await newSlot(preparation(step, run));
  return { sourceObjects };
}

function preparation({ request, database }: DatabaseStep, run: Run) {
  const { migrationId, keylessTables, timeouts } = request;
  return {
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    migrationId,
    keylessTables,
    lockTimeout: timeouts.lock,
    signal: run.signal,
    onProgress: (what: string) => run.progress({ what }),
  };
}

/** Takes away what the migration made on the source; where the source stays silent, says what is left and how it goes. */
export async function takeAwaySourceStep(step: TidyStep, run: Run): Promise<TidyResult> {
  try {
    return { removed: await removeSourceObjects(step, run) };
  } catch (error) {
    if (!isForPerson(error, { isLast: run.attempt >= SOURCE_ATTEMPTS })) throw error;
    return { removed: [], left: whatIsLeft(step, run, error) };
  }
}

/** @returns what was there, for a person */
export async function removeSourceObjects(
  { request, database, what }: TidyStep,
  run: Run,
): Promise<string[]> {
  const { migrationId } = request;
  const lift = (client: Client) => liftFence(client, { migrationId });
  if (what === 'fence') {
    const wasFenced = await run.session('source', database, lift);
    return wasFenced ? [`fence of ${database}`] : [];
  }
  return await takeAwaySourceObjects({
    source: run.endpoint('source'),
    database,
    migrationId,
    signal: run.signal,
    liftFence: what === 'all' ? lift : () => Promise.resolve(false),
  });
}

/** The server stays silent, or refuses what no repetition helps against: a person has to tidy up there. */
export function isForPerson(error: unknown, { isLast }: { isLast: boolean }): error is FlexliftError {
  if (!(error instanceof FlexliftError)) return false;
  const mayLast = error.code === 'Unreachable' || error.failureClass === 'waiting';
  return error.failureClass === 'permanent' || (mayLast && isLast);
}

export function whatIsLeft({ database }: DatabaseStep, { request }: Run, cause: FlexliftError): LeftOnSource {
  const { migrationId, source } = request;
  const { keyed, append } = publicationNames(migrationId);
  return {
    objects: [`slot ${slotName(migrationId, database)}`, `publications ${keyed}, ${append}`],
    sql: [...cleanUpStatements(migrationId, database), `${liftFenceStatement(migrationId)};`].join('\n'),
    failure: {
      code: 'CleanUpNeeded',
      sentence: `What the migration made on the source is still there: ${cause.fields.sentence}`,
      remedy: `Run flexlift cleanup ${request.name} when that has changed, or there the SQL that flexlift show prints. Both lift the fence, too.`,
      side: 'source',
      server: serverName(source),
      database,
    },
  };
}
