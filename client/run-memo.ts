import type { MigrationMode, MigrationOption } from '../contract';
import type { ComparableRequest } from './comparable-request';

/**
 * What the client writes on a run, to find and to understand it later; shown in the Web UI, holds no secret.
 * Version 1.
 */
export interface RunMemo {
  version: 1;
  name: string;
  migrationId: string;
  generation: number;
  mode: MigrationMode;
  option: MigrationOption;
  pool: string;
  /** `host:port`. */
  source: string;
  /** `host:port`. */
  target: string;
  /** An earlier run of this migration may have changed the target: some options must stay as they were. */
  resumes: boolean;
  request: ComparableRequest;
}

const KEY = 'flexlift';

export function toMemo(memo: RunMemo): Record<string, unknown> {
  return { [KEY]: memo };
}

/** `undefined`: this run was not started by a flexlift client. */
export function memoOf(run: { memo?: Record<string, unknown> }): RunMemo | undefined {
  const memo = run.memo?.[KEY];
  return typeof memo === 'object' && memo !== null && 'migrationId' in memo ? (memo as RunMemo) : undefined;
}
