import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { tidyWorkflowId, type DatabaseStatus, type MigrationStatus } from '../contract';
import { isWorkflowUnknown } from './temporal-failure';

const KEY = 'flexliftCleanedUp';

/** Written on a run that cleans up: the databases that have nothing left on the source once it has succeeded. */
export function cleanUpMemo(databases: string[]): Record<string, unknown> {
  return { [KEY]: databases };
}

/**
 * The databases that were cleaned up since a migration ended. Its own run is closed and cannot be told; the last one that
 * cleaned up says it.
 */
export async function cleanedUpSince(
  migration: WorkflowHandle,
  { closeTime }: WorkflowExecutionDescription,
): Promise<string[]> {
  try {
    const tidy = await migration.client.getHandle(tidyWorkflowId(migration.workflowId)).describe();
    const isLater = closeTime !== undefined && tidy.startTime >= closeTime;
    const databases = tidy.memo?.[KEY];
    return tidy.status.name === 'COMPLETED' && isLater && Array.isArray(databases)
      ? (databases as string[])
      : [];
  } catch (error) {
    if (isWorkflowUnknown(error)) return [];
    throw error;
  }
}

/** A migration that needed no more than to be cleaned up was canceled, as soon as nothing is left. */
export function withCleanedUp(status: MigrationStatus, cleanedUp: string[]): MigrationStatus {
  const databases = status.databases.map((database): DatabaseStatus => {
    if (!cleanedUp.includes(database.database)) return database;
    const state = database.state === 'NeedsCleanup' ? 'Canceled' : database.state;
    return { ...database, state, sourceObjects: undefined, cleanUpSql: undefined };
  });
  const isClean = databases.every(({ cleanUpSql }) => cleanUpSql === undefined);
  return isClean ? { ...status, state: 'Canceled', failure: undefined, databases } : { ...status, databases };
}
