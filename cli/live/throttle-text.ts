import type { Throttle } from '../../client';
import { formatBytes, formatNumberOf } from '../format';

/** What the source may be asked for; `undefined`: no bound is set. */
export function throttleText({ maxRate, maxConnections }: Throttle = {}): string | undefined {
  const bounds = [
    ...(maxRate === undefined ? [] : [`${formatBytes(maxRate)}/s`]),
    ...(maxConnections === undefined ? [] : [formatNumberOf(maxConnections, 'session')]),
  ];
  return bounds.length === 0 ? undefined : `Source: at most ${bounds.join(' and ')}`;
}
