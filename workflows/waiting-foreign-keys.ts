import type { ForeignKeysResult } from '../contract';

/** How many are left to the cutover; a worker of an earlier version does not say. */
export function waitingForeignKeys(built: ForeignKeysResult | null): number | undefined {
  return built?.waiting;
}
