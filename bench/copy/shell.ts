import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a line of the shell, in a process group of its own, with all of a pipe's failures being its own.
 *
 * @throws Error with the last that it said, where it fails
 */
export async function shell(line: string, signal: AbortSignal): Promise<void> {
  const child = spawn('bash', ['-o', 'pipefail', '-ec', line], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    signal,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2_000)));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${line.slice(0, 80)}… failed: ${said.trim().split('\n').at(-1) ?? ''}`);
}
