import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServerAddress } from './sessions';

/**
 * Runs `work` with an address at which the server is reached by a link that takes time, in a process of its own.
 *
 * @param milliseconds of every byte, in either direction
 */
export async function withSlowLink<T>(
  { host, port }: ServerAddress,
  milliseconds: number,
  work: (address: ServerAddress) => Promise<T>,
): Promise<T> {
  const link = fork(join(__dirname, 'slow-link-process.js'), [host, String(port), String(milliseconds)]);
  try {
    const [linked] = (await once(link, 'message')) as [number];
    return await work({ host: '127.0.0.1', port: linked });
  } finally {
    link.kill();
  }
}
