import { createHash } from 'node:crypto';
import type { RunningProcess } from './process-record';

/** By the variables' names. What may be a secret stays out of the record: a value is told from another one, no more. */
export type EnvironmentMarks = Record<string, string>;

export function environmentMarks(env: NodeJS.ProcessEnv): EnvironmentMarks {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, mark(value)]])),
  );
}

/** Which of these variables are set in `env`, and otherwise for the process that runs. */
export function variablesSetAnew(
  { environment }: RunningProcess,
  names: string[],
  env: NodeJS.ProcessEnv,
): string[] {
  if (environment === undefined) return [];
  return names.filter((name) => {
    const value = env[name] ?? '';
    return value !== '' && mark(value) !== environment[name];
  });
}

function mark(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}
