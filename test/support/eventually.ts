import { setTimeout as pause } from 'node:timers/promises';

/** Asks until `probe` gives something, and returns it; fails with `what` it waited for. Both times in milliseconds. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined | false>,
  { timeout = 60_000, interval = 50 } = {},
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > end) throw new Error(`waited ${timeout} ms in vain for: ${what}`);
    await pause(interval);
  }
}
