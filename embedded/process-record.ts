import { randomBytes } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EnvironmentMarks } from './environment-marks';
import { findByCommandLine, isAlive, type ProcessIdentity } from './process-identity';
import type { StateDirectory } from './state-directory';

/**
 * What the state directory remembers of a background process. It outlives the process, so that the next one gets
 * the same ports.
 */
export interface ProcessRecord {
  /** Absent: it was about to be started. */
  identity?: ProcessIdentity;
  /** Of flexlift when it was started. */
  version: string;
  /** ISO 8601. */
  startedAt: string;
  /** The program and its arguments. */
  commandLine: string[];
  ports: Record<string, number>;
  /** What it was started with. Absent: by an earlier version. */
  environment?: EnvironmentMarks;
}

/** A record whose process runs. */
export type RunningProcess = ProcessRecord & { identity: ProcessIdentity };

function recordFile(state: StateDirectory, name: string): string {
  return join(state.processes, `${name}.json`);
}

/** The last record of that name, whether or not its process runs. An unreadable file counts as none. */
export function readRecord(state: StateDirectory, name: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(recordFile(state, name), 'utf8')) as Partial<ProcessRecord>;
    return Array.isArray(record.commandLine) && typeof record.ports === 'object'
      ? (record as ProcessRecord)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces the record in one step: a reader sees the old or the new one. */
export function writeRecord(state: StateDirectory, name: string, record: ProcessRecord): void {
  const file = recordFile(state, name);
  const temporary = `${file}.${randomBytes(4).toString('hex')}`;
  writeFileSync(temporary, JSON.stringify(record, null, 2) + '\n', { mode: 0o600 });
  renameSync(temporary, file);
}

/** The background process of that name, if it runs; a process that only has its pid is none. */
export function runningProcess(state: StateDirectory, name: string): RunningProcess | undefined {
  const record = readRecord(state, name);
  if (record === undefined) return undefined;
  // Whoever started it may have died before it could write the pid.
  const identity = record.identity ?? findByCommandLine(record.commandLine);
  return identity !== undefined && isAlive(identity) ? { ...record, identity } : undefined;
}
