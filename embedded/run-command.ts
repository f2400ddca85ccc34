import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export interface CommandOptions {
  /** The whole environment; see {@link ./child-environment}. */
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** Runs as this user; only root may. */
  user?: { uid: number; gid: number };
  /** Milliseconds; then the command and all it started are killed. */
  timeout: number;
  signal?: AbortSignal;
  /** Each line of stdout and stderr as it comes. */
  onLine?: (line: string) => void;
}

export interface CommandResult {
  succeeded: boolean;
  /** The last 200 lines of stdout and stderr together. */
  output: string;
  /** Why it failed, e.g. `exit code 1` or `spawn go ENOENT`; empty where it succeeded. */
  failure: string;
}

/**
 * Runs a program to its end. It never outlives this process, nor does what it started in its process group.
 * Rejects only with the reason of the aborted `signal`.
 */
export async function runCommand(
  command: string,
  args: string[],
  { env, cwd, user, timeout, signal, onLine }: CommandOptions,
): Promise<CommandResult> {
  signal?.throwIfAborted();
  const child = spawn(command, args, {
    env,
    cwd,
    ...user,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killGroup = () => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
      killProcessGroup(child.pid);
  };
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > 200) lines.shift();
      onLine?.(line);
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup();
  }, timeout);
  signal?.addEventListener('abort', killGroup);
  process.once('exit', killGroup);
  try {
    const [code, endedBy] = (await once(child, 'close')) as [number | null, string | null];
    signal?.throwIfAborted();
    const failure = timedOut ? `no end after ${timeout / 1000} s` : (endedBy ?? `exit code ${code}`);
    return { succeeded: code === 0, output: lines.join('\n'), failure: code === 0 ? '' : failure };
  } catch (error) {
    signal?.throwIfAborted();
    return { succeeded: false, output: lines.join('\n'), failure: (error as Error).message };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', killGroup);
    process.removeListener('exit', killGroup);
  }
}

function killProcessGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It ended by itself meanwhile.
  }
}
