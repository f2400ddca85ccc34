import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { delimiter } from 'node:path';
import { childrenOf } from '../../embedded/process-identity';
import { runProgram, runProgramForOutput } from './programs';

const VARIABLE = 'FLEXLIFT_PGCOPYDB';

/** The programs that the environment names, or why there is none. */
export function pgcopydbPaths(environment: NodeJS.ProcessEnv = process.env): string[] | string {
  const paths = (environment[VARIABLE] ?? '').split(delimiter).filter((path) => path !== '');
  if (paths.length === 0) return `${VARIABLE} names no pgcopydb`;
  const missing = paths.find((path) => !existsSync(path));
  return missing === undefined ? paths : `${VARIABLE}: there is no ${missing}`;
}

/** What it calls itself, e.g. `pgcopydb 0.18`, and the 18 of it. */
export async function pgcopydbVersion(path: string): Promise<{ name: string; minor: number }> {
  const [, version = 'of no version', minor = '0'] =
    /pgcopydb version (0\.(\d+)|\S+)/.exec(await runProgramForOutput(path, ['--version'])) ?? [];
  return { name: `pgcopydb ${version}`, minor: Number(minor) };
}

/** One of its programs, and the file that all it says goes to. */
export class Pgcopydb {
  constructor(
    readonly path: string,
    private readonly log: string,
  ) {}

  /** To its end. */
  async run(args: string[], signal: AbortSignal): Promise<void> {
    await runProgram(this.path, args, { signal });
  }

  /** In a process group of its own, which ends by {@link killAllOf}. */
  start(args: string[]): ChildProcess {
    const child = spawn(this.path, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const log = createWriteStream(this.log, { flags: 'a' });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    return child;
  }

  /** The log itself is gone when one reads of the failure. */
  lastWords(): string {
    const lines = readFileSync(this.log, 'utf8').trim().split('\n');
    return (lines.findLast((line) => line.includes(' ERROR ')) ?? lines.at(-1) ?? '').replace(/\s+/g, ' ');
  }
}

/** With all that it has begun: pgcopydb's processes leave its group, and would go on in the next run's database. */
export async function killAllOf(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined) return;
  const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  for (const each of [-pid, ...descendantsOf(pid)]) {
    try {
      process.kill(each, 'SIGKILL');
    } catch {
      // it has ended
    }
  }
  await ended;
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child.pid, ...descendantsOf(child.pid)]);
}
