import type { Client } from 'pg';
import type { DatabaseStep } from '../contract';
import { applyDatabaseProperties, createTargetDatabase } from '../postgres/database';
import { undoBehindRows } from '../postgres/schema';
import { hasCopied, isPlanOfToday } from '../postgres/copy';
import { entryOptions } from './run-entries';
import type { Run } from './support/run';

export async function createTargetDatabaseStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { mode, generation, overwrite, noOwner, noPrivileges, compare } = run.request;
  const place = {
    source: run.endpoint('source'),
    target: run.endpoint('target'),
    database,
    identity: run.identity,
    noOwner,
    noPrivileges,
    signal: run.signal,
  };
  // ends a predecessor that still holds the lock on the database's name
  await run.session('target', run.request.target.maintenanceDatabase, () => Promise.resolve());
  await createTargetDatabase({
    ...place,
    overwrite,
    compare,
    canGoOn: (target) => canGoOn(database, run, target),
  });
  await applyDatabaseProperties(place);
  // online, the last cutover is undone before the source is prepared
  if (mode === 'Offline' && generation > 1) {
    await run.session('target', database, (client) => undoBehindRows({ client, ...entryOptions(run) }));
  }
}

/** Online all rows are copied anew anyway, and a change of the source's schema is found and named as a drift. */
async function canGoOn(database: string, run: Run, target: Client): Promise<boolean> {
  if (!(await hasCopied(target))) return false;
  if (run.request.mode === 'Online') return true;
  return await run.session('source', database, (source) => isPlanOfToday(source, target));
}
