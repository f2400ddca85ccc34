import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlexliftError, type FailureCode } from '../contract';
import { environmentMarks } from './environment-marks';
import { withLock } from './lock';
import { logTail } from './log-tail';
import { packageVersion } from './package-root';
import { identifyProcess, isAlive, signalProcess, waitForEnd } from './process-identity';
import {
  readRecord,
  runningProcess,
  writeRecord,
  type ProcessRecord,
  type RunningProcess,
} from './process-record';
import { startProgress, type OnEmbeddedProgress } from './progress';
import type { StateDirectory } from './state-directory';

/** How to start one process. */
export interface ProcessCommand {
  command: string;
  args: string[];
  /** The whole environment of the process; see {@link ./child-environment}. */
  env: NodeJS.ProcessEnv;
  ports?: Record<string, number>;
}

/** A kind of process of which one runs per state directory. */
export interface BackgroundProcess {
  /** Names its record and its log, e.g. `temporal`. */
  name: string;
  /** For a person, e.g. `Temporal server`. */
  title: string;
  /** A running process of another version is replaced. Default: flexlift's version. */
  version?: string;
  /** Whether a running process can't be used, whatever its health, and is replaced at once. Default: none. */
  isOutdated?: (running: RunningProcess) => boolean;
  /** Given what ran before, so that it can keep its ports. */
  plan: (previous: ProcessRecord | undefined) => Promise<ProcessCommand>;
  /** Whether it does its work by now. Must not throw. */
  isHealthy: (running: RunningProcess) => Promise<boolean>;
  /** Milliseconds from the start until it must be healthy. Default 60,000. */
  startTimeout?: number;
  /** Milliseconds between SIGTERM and SIGKILL. Default 10,000. */
  stopTimeout?: number;
  /** The code of the error where it does not start. */
  failureCode: FailureCode;
}

export interface EnsureOptions {
  signal?: AbortSignal;
  onProgress?: OnEmbeddedProgress;
}

/** How long a process that should be healthy by now may still take before it is replaced. Milliseconds. */
const PATIENCE = 5_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

export function logFile(state: StateDirectory, name: string): string {
  return join(state.logs, `${name}.log`);
}

/**
 * Gives the process of that kind, started now if none runs, once it is healthy. Commands that ask at the same time get
 * the same one. It survives this process and its terminal.
 * @throws FlexliftError with the kind's code and the end of the log where it ends or isn't healthy in time.
 */
export async function ensureProcess(
  state: StateDirectory,
  kind: BackgroundProcess,
  options: EnsureOptions = {},
): Promise<{ running: RunningProcess; started: boolean }> {
  const found = runningProcess(state, kind.name);
  if (found !== undefined && isCurrent(kind, found) && (await kind.isHealthy(found))) {
    return { running: found, started: false };
  }
  return withLock(state.processes, () => replaceOrStart(state, kind, options), options.signal);
}

function isCurrent(kind: BackgroundProcess, running: RunningProcess): boolean {
  return running.version === (kind.version ?? packageVersion()) && kind.isOutdated?.(running) !== true;
}

async function replaceOrStart(state: StateDirectory, kind: BackgroundProcess, options: EnsureOptions) {
  const found = runningProcess(state, kind.name);
  if (found !== undefined) {
    if (isCurrent(kind, found) && (await waitUntilHealthy(state, kind, found, 0, options)) === undefined) {
      return { running: found, started: false };
    }
    options.signal?.throwIfAborted();
    await stopProcess(state, kind.name, kind.stopTimeout);
  }
  // Between the choice of a port and its use another program may take it: the second plan chooses others.
  return { running: await start(state, kind, options, 2), started: true };
}

async function start(
  state: StateDirectory,
  kind: BackgroundProcess,
  options: EnsureOptions,
  attempts: number,
): Promise<RunningProcess> {
  const previous = readRecord(state, kind.name);
  const log = rotateLog(state, kind.name);
  const running = await spawnDetached(state, kind, await kind.plan(previous));
  const failure = await waitUntilHealthy(state, kind, running, log.size, options);
  if (failure === undefined) return running;
  const ended = !isAlive(running.identity);
  await stopProcess(state, kind.name, kind.stopTimeout);
  options.signal?.throwIfAborted();
  if (ended && attempts > 1) return start(state, kind, options, attempts - 1);
  throw new FlexliftError({ code: kind.failureCode, ...failure });
}

async function spawnDetached(
  state: StateDirectory,
  kind: BackgroundProcess,
  { command, args, env, ports = {} }: ProcessCommand,
): Promise<RunningProcess> {
  const record: ProcessRecord = {
    version: kind.version ?? packageVersion(),
    startedAt: new Date().toISOString(),
    commandLine: [command, ...args],
    ports,
    environment: environmentMarks(env),
  };
  writeRecord(state, kind.name, record);
  const log = openSync(logFile(state, kind.name), 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(command, args, { cwd: state.root, env, detached: true, stdio: ['ignore', log, log] });
  } finally {
    closeSync(log);
  }
  const failed = new Promise<Error>((resolve) => child.on('error', resolve));
  child.unref();
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity !== undefined) {
    const running = { ...record, identity };
    writeRecord(state, kind.name, running);
    return running;
  }
  const reason =
    child.pid === undefined
      ? (await failed).message
      : `it ended at once; ${logTail(logFile(state, kind.name))}`;
  throw new FlexliftError({
    code: kind.failureCode,
    sentence: `The ${kind.title} (${command}) did not start: ${reason}.`,
    remedy: 'Check that the program is there and can be run by this user.',
  });
}

/** Undefined: it is healthy; else what went wrong. */
async function waitUntilHealthy(
  state: StateDirectory,
  kind: BackgroundProcess,
  running: RunningProcess,
  logFrom: number,
  { signal, onProgress }: EnsureOptions,
): Promise<{ sentence: string; remedy: string } | undefined> {
  const age = Date.now() - Date.parse(running.startedAt);
  const startTimeout = kind.startTimeout ?? 60_000;
  const timeout = Math.max(startTimeout - age, Math.min(startTimeout, PATIENCE));
  const deadline = Date.now() + timeout;
  const report = startProgress(`Waiting for the ${kind.title}`, onProgress);
  const failed = (what: string) => ({
    sentence: `The ${kind.title} ${what}; ${logTail(logFile(state, kind.name), logFrom)}.`,
    remedy: `See ${logFile(state, kind.name)}, remove the cause and repeat the command.`,
  });
  for (;;) {
    if (!isAlive(running.identity)) return failed('ended while starting');
    if (await kind.isHealthy(running)) return undefined;
    if (signal?.aborted === true) return failed('was not waited for');
    if (Date.now() > deadline) return failed(`did not answer within ${timeout / 1000} seconds`);
    report();
    await sleep(50);
  }
}

/** Ends the process of that name: SIGTERM, then SIGKILL after `timeout` milliseconds. False: none ran. */
export async function stopProcess(state: StateDirectory, name: string, timeout = 10_000): Promise<boolean> {
  const running = runningProcess(state, name);
  if (running === undefined) return false;
  signalProcess(running.identity, 'SIGTERM');
  if (!(await waitForEnd(running.identity, timeout))) await killProcess(state, name);
  return true;
}

/** Ends the process of that name with SIGKILL, as a crash would. False: none ran. */
export async function killProcess(state: StateDirectory, name: string): Promise<boolean> {
  const running = runningProcess(state, name);
  if (running === undefined) return false;
  signalProcess(running.identity, 'SIGKILL');
  await waitForEnd(running.identity, 10_000);
  return true;
}

function rotateLog(state: StateDirectory, name: string): { size: number } {
  const file = logFile(state, name);
  if (!existsSync(file)) return { size: 0 };
  const { size } = statSync(file);
  if (size <= MAX_LOG_BYTES) return { size };
  renameSync(file, `${file}.1`);
  return { size: 0 };
}
