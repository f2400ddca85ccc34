import type { EntriesResult, EntriesStep } from '../contract';

export interface FinishEntries {
  execute: (until?: EntriesStep['until']) => Promise<EntriesResult>;
  refresh: (which: { beforeRowSecurity?: boolean }) => Promise<void>;
}

/**
 * All that comes after the rows, in the one order in which nothing disturbs what comes behind it: materialized views are
 * filled with their owners' rights, those that show all rows before policies could hide some, and those that policies bind
 * on the source after them; event triggers would fire on all of it.
 */
export async function finishEntries({ execute, refresh }: FinishEntries): Promise<void> {
  const { left } = await execute('privileges');
  if (left === 0) return await refresh({});
  await refresh({ beforeRowSecurity: true });
  await execute('row-security');
  await refresh({});
  await execute();
}
