import { FlexliftError, type MigrationState } from '../contract';
import { changedOptions, isFixed, type ChangedOption, type ComparableRequest } from './comparable-request';
import { newMigrationId, type RunIdentity } from './migration-request';
import type { RunMemo } from './run-memo';

/** The latest run of the name on this target. */
export interface PreviousRun {
  /** `InProgress` and `CleaningUp`: it runs. */
  state: MigrationState;
  memo: RunMemo;
}

export type NextRun =
  /** It runs, or has succeeded: there is nothing to start. */
  { kind: 'attach' } | { kind: 'start'; identity: RunIdentity; resumes: boolean };

/**
 * What the same name means, given the run that had it before:
 * - none: a new migration;
 * - it runs, or it has succeeded: the same options attach to it, so that the same command shows its progress or its
 *   report; others are refused;
 * - it failed or was cancelled: the next run of the same migration, which goes on from what the ledger has. Options
 *   may change, but for those whose effects the target already holds;
 * - it only validated: the next run, with any options.
 *
 * @throws FlexliftError NameTaken, naming the option
 */
export function nextRun(previous: PreviousRun | undefined, now: ComparableRequest): NextRun {
  if (previous === undefined) {
    return { kind: 'start', identity: { migrationId: newMigrationId(), generation: 1 }, resumes: false };
  }
  const { state, memo } = previous;
  const changed = changedOptions(memo.request, now);
  const runs = state === 'InProgress' || state === 'CleaningUp';
  const validatedOnly = memo.option === 'Validate' || state === 'ValidationFailed';
  const succeeded = state === 'Succeeded' || state === 'SucceededUnverified';
  if (runs || (succeeded && !validatedOnly)) {
    if (changed[0] !== undefined) throw nameTaken(memo.name, runs ? 'runs' : 'has succeeded', changed[0]);
    return { kind: 'attach' };
  }
  const resumes = memo.resumes || !validatedOnly;
  const forbidden = resumes ? changed.find(isFixed) : undefined;
  if (forbidden !== undefined) throw nameTaken(memo.name, 'was begun', forbidden);
  return {
    kind: 'start',
    identity: { migrationId: memo.migrationId, generation: memo.generation + 1 },
    resumes,
  };
}

/** The name belongs to another option; `option` is its path in the options. */
export class NameTakenError extends FlexliftError {
  constructor(
    readonly option: string,
    sentence: string,
    remedy: string,
  ) {
    super({ code: 'NameTaken', sentence, remedy });
    this.name = 'NameTakenError';
  }
}

function nameTaken(name: string, how: string, { option, before, now }: ChangedOption): NameTakenError {
  return new NameTakenError(
    option,
    `The migration ${name} ${how} with another ${option}: ${show(before)} there, ${show(now)} here.`,
    'Give the same option to go on with it, or another name to make a new migration.',
  );
}

function show(value: unknown): string {
  if (value === undefined) return 'none';
  // a password's reference, e.g. `env PGPW`
  const isReference = typeof value === 'object' && value !== null && 'kind' in value;
  return isReference ? Object.values(value).join(' ') : JSON.stringify(value);
}
