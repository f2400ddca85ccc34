import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Tells a process from a later one that got the same pid. */
export interface ProcessIdentity {
  pid: number;
  /** As the system gives it; only ever compared for equality. */
  startTime: string;
}

interface ProcessStat {
  state: string;
  parent: number;
  startTicks: string;
}

/** proc(5), /proc/pid/stat: the fields after the command's name, which may itself hold blanks and brackets. */
function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parent: Number(fields[1]), startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function ps(format: string, selection: string[]): string {
  try {
    return execFileSync('ps', ['-o', format, ...selection], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    return '';
  }
}

/** The identity of the process that has `pid` now; undefined where none has, or one that is dead and not yet reaped. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  if (process.platform === 'linux') {
    const stat = readStat(pid);
    if (stat === undefined || stat.state === 'X' || (stat.state === 'Z' && !hasOtherThreads(pid)))
      return undefined;
    return { pid, startTime: `${bootId()}:${stat.startTicks}` };
  }
  const [state, ...started] = ps('stat=,lstart=', ['-p', String(pid)])
    .trim()
    .split(/\s+/);
  return state === undefined || state === '' || state.startsWith('Z')
    ? undefined
    : { pid, startTime: started.join(' ') };
}

/** A killed process is a zombie from its first thread's end on, but holds its ports and files until its last one's. */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false;
  }
}

/** Ticks count from the boot: the same pid and ticks after another boot are another process. */
function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Sends `signal` if the process is still that one. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Waits until the process is gone; false: it was still there after `milliseconds`. */
export async function waitForEnd(identity: ProcessIdentity, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (isAlive(identity)) {
    if (Date.now() >= deadline) return false;
    await sleep(20);
  }
  return true;
}

/** The process's children, without their own. */
export function childrenOf(pid: number): ProcessIdentity[] {
  return listPids()
    .filter(({ parent }) => parent === pid)
    .flatMap((child) => identifyProcess(child.pid) ?? []);
}

function listPids(): { pid: number; parent: number }[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .map(Number)
      .filter(Number.isInteger)
      .flatMap((pid) => ({ pid, parent: readStat(pid)?.parent ?? 0 }));
  }
  return ps('pid=,ppid=', ['-A'])
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([pid = 0, parent = 0]) => ({ pid, parent }));
}

/** The program and arguments of a process; empty where there is none. */
export function commandLineOf(pid: number): string {
  if (process.platform !== 'linux') return ps('args=', ['-p', String(pid)]).trim();
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

/** The process that was started with exactly this program and these arguments. */
export function findByCommandLine(commandLine: string[]): ProcessIdentity | undefined {
  const wanted = commandLine.join(' ');
  const found = listPids().find(({ pid }) => commandLineOf(pid) === wanted);
  return found === undefined ? undefined : identifyProcess(found.pid);
}
