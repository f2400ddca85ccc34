import type { DatabasesRequest, DatabaseStatus, FailureCode, MigrationStatus } from '../contract';
import { failed } from './failure';

/** Databases that are named, or all that have not ended. */
export function chosen(status: MigrationStatus, { databases }: DatabasesRequest): DatabaseStatus[] {
  return status.databases.filter((database) =>
    databases === undefined ? !isEnded(database) : databases.includes(database.database),
  );
}

type Check = (database: DatabaseStatus) => string | undefined;

/** @throws ApplicationFailure CutoverRefused or InvalidRequest, to whoever sent the update */
export function refuseUnless(status: MigrationStatus, request: DatabasesRequest, check: Check): void {
  if (status.mode !== 'Online') {
    refuse(
      'The migration is offline.',
      'Only an online migration replicates; see --mode online.',
      'InvalidRequest',
    );
  }
  if (status.databases.length === 0)
    refuse('The migration is not ready: it is being validated.', 'Wait for it.');
  const unknown = request.databases?.find(
    (name) => !status.databases.some(({ database }) => database === name),
  );
  if (unknown !== undefined) {
    refuse(
      `The migration has no database ${JSON.stringify(unknown)}.`,
      `It has ${status.databases.map(({ database }) => JSON.stringify(database)).join(', ')}.`,
      'InvalidRequest',
    );
  }
  const databases = chosen(status, request);
  if (databases.length === 0) refuse('All databases of the migration have ended.', 'See flexlift show.');
  for (const database of databases) {
    const reason = check(database);
    if (reason !== undefined) refuse(reason, remedyFor(database));
  }
}

export function refuse(sentence: string, remedy: string, code: FailureCode = 'CutoverRefused'): never {
  throw failed({ code, sentence, remedy });
}

export function whyNoCutover(database: DatabaseStatus): string | undefined {
  if (database.cutover?.state === 'Running') return undefined;
  const state = database.replication?.state ?? 'not replicating yet';
  if (state === 'ReadyForCutover' && !isEnded(database)) {
    return database.phase === 'Replicate'
      ? undefined
      : `Database ${database.database} is not ready for the cutover: its last one is being called off.`;
  }
  return `Database ${database.database} is not ready for the cutover: it is ${isEnded(database) ? database.state : state}.`;
}

function remedyFor({ replication }: DatabaseStatus): string {
  return replication?.state === 'Paused' || replication?.state === 'Stopped'
    ? 'See flexlift show, and go on with flexlift resume.'
    : 'See flexlift show, and ask again when that has changed.';
}

export function whyNotCuttingOver(database: DatabaseStatus): string | undefined {
  return database.cutover?.state === 'Running'
    ? undefined
    : `No cutover of ${database.database} is under way.`;
}

export function whyNotReplicating(database: DatabaseStatus): string | undefined {
  if (!isEnded(database) && whyNotCuttingOver(database) === undefined)
    return `Database ${database.database} is being cut over.`;
  if (database.phase === 'Replicate' && !isEnded(database)) return undefined;
  return `Database ${database.database} does not replicate: it is in phase ${database.phase}.`;
}

export function isEnded({ endedAt }: DatabaseStatus): boolean {
  return endedAt !== undefined;
}
