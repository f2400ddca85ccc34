import { setTimeout as pause } from 'node:timers/promises';

/**
 * Asks until `probe` gives something, and returns it; fails with `what` it waited for and what `seen` tells of the last
 * answer. Both times in milliseconds.
 */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  {
    timeout = 60_000,
    interval = 50,
    seen = () => '',
  }: { timeout?: number; interval?: number; seen?: () => string } = {},
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain for: ${what} ${seen()}`);
    await pause(interval);
  }
}
