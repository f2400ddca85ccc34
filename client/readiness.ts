import type { DatabaseStatus, MigrationState } from '../contract';

const UNDER_WAY: readonly MigrationState[] = ['InProgress', 'WaitingForUserAction', 'CleaningUp'];

/** Nothing more happens to this database. */
export function hasEnded({ state }: Pick<DatabaseStatus, 'state'>): boolean {
  return !UNDER_WAY.includes(state);
}

/** It is replicated, close behind the source, and no cutover of it runs. */
export function isReadyForCutover({ phase, replication, cutover }: DatabaseStatus): boolean {
  return phase === 'Replicate' && replication?.state === 'ReadyForCutover' && cutover?.state !== 'Running';
}
