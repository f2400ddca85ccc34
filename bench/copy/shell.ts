import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { killAllOf } from '../support/pgcopydb';

/**
 * Runs a line of the shell, with all of a pipe's failures being its own.
 *
 * @throws Error with the last that it said, where it fails; the signal's reason, when all that it began is dead
 */
export async function shell(line: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('bash', ['-o', 'pipefail', '-ec', line], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const stop = () => void killAllOf(child);
  signal.addEventListener('abort', stop);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  const [code] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', stop);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`${line.slice(0, 80)}… failed: ${said.trim().split('\n').at(-1) ?? ''}`);
}
