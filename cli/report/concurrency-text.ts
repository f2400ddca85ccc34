import type { Concurrency } from '../../client';
import { formatNumberOf } from '../format';

/** How much goes on at a time. */
export function concurrencyText({ databasesAtOnce, copiesAtOnce, indexesAtOnce }: Concurrency): string {
  const copies = copiesAtOnce === 1 ? '1 copy' : `${copiesAtOnce} copies`;
  return `At a time: ${formatNumberOf(databasesAtOnce, 'database')}, of each ${copies} and ${formatNumberOf(indexesAtOnce, 'index build')}`;
}
