import type { DatabaseStep } from '../contract';
import { serverVersion } from '../postgres/catalog';
import { dumpSchema, findPgDump, isArchiveStored, readArchive, storeArchive } from '../postgres/schema';
import type { Run } from './support/run';
import { withSnapshot } from './support/snapshot';

/** The schema as it stands in the keeper's snapshot, entry by entry into the ledger. */
export async function dumpSchemaStep({ database }: DatabaseStep, run: Run): Promise<void> {
  const { timeouts, noOwner, noPrivileges } = run.request;
  // asked before a snapshot is waited for: after a complete load there is none any more
  if (await run.session('target', database, isArchiveStored)) return;
  await withSnapshot(run, database, async ({ source, target, scope }) => {
    run.progress({ what: 'pg_dump' });
    const { major: sourceMajor } = await serverVersion(source);
    const { major: targetMajor } = await serverVersion(target);
    const dump = await dumpSchema({
      endpoint: run.endpoint('source'),
      database,
      pgDump: await findPgDump({ sourceMajor, targetMajor }),
      snapshot: scope.snapshot,
      lockTimeoutMs: timeouts.lock,
      signal: run.signal,
    });
    const archive = readArchive(dump);
    await storeArchive({
      source,
      target,
      identity: run.identity,
      archive,
      options: { noOwner, noPrivileges },
    });
  });
}
