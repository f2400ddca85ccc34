import type { EntriesResult, EntriesStep, RefreshResult } from '../contract';

export interface FinishEntries {
  execute: (until?: EntriesStep['until']) => Promise<EntriesResult>;
  refresh: (which: { beforeRowSecurity?: boolean }) => Promise<RefreshResult | undefined>;
}

/**
 * All that comes after the rows, in the one order in which nothing disturbs what comes behind it: materialized views are
 * filled with their owners' rights, those that show all rows before policies could hide some, and those that policies bind
 * on the source after them; event triggers would fire on all of it.
 *
 * @returns of all materialized views; undefined from an activity of earlier code, which did not say
 */
export async function finishEntries({ execute, refresh }: FinishEntries): Promise<RefreshResult | undefined> {
  const { left } = await execute('privileges');
  if (left === 0) return await refresh({});
  await refresh({ beforeRowSecurity: true });
  await execute('row-security');
  const refreshed = await refresh({});
  await execute();
  return refreshed;
}
