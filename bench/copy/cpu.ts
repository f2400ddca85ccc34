import { readFileSync, writeFileSync } from 'node:fs';
import { childrenOf } from '../../embedded/process-identity';

/** Of /proc/<pid>/stat, counted behind the command's name. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const [UTIME, STIME, CUTIME, CSTIME] = [11, 12, 13, 14];
/** As on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** CPU time of a process, its children, and those of them that have ended and were waited for; seconds. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  const own = [UTIME, STIME, CUTIME, CSTIME].reduce((sum, at = 0) => sum + Number(fields[at] ?? 0), 0);
  return childrenOf(pid).reduce((sum, child) => sum + cpuOfChild(child.pid), own / TICKS_PER_SECOND);
}

/** It may end between the two looks. */
function cpuOfChild(pid: number): number {
  try {
    return cpuSecondsOf(pid);
  } catch {
    return 0;
  }
}

/** See clear_refs in https://man7.org/linux/man-pages/man5/proc_pid_clear_refs.5.html */
export function resetPeakBytesOf(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** The most that was resident since it was last reset; bytes. */
export function peakBytesOf(pid: number): number {
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
