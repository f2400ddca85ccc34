/**
 * The number of the next signal from one sender to one receiver, by which the receiver tells an older one that comes late.
 * Greater than the one before it; at least the time, so that after a reset of the sender it still grows.
 */
export function numberAfter(last: number): number {
  return Math.max(last + 1, Date.now());
}
