import type { Client } from 'pg';
import type { DatabaseStep } from '../../contract';
import { serverVersion } from '../../postgres/catalog';
import { dumpSchema, findPgDump, readArchive, type SchemaArchive } from '../../postgres/schema';
import type { Run } from './run';

export interface SessionsAndSnapshot {
  source: Client;
  target: Client;
  /** An exported one of the source. */
  snapshot: string;
}

/** The source's schema as pg_dump writes it in that snapshot. */
export async function dumpArchive(
  { database }: DatabaseStep,
  run: Run,
  { source, target, snapshot }: SessionsAndSnapshot,
): Promise<SchemaArchive> {
  run.progress({ what: 'pg_dump' });
  const { major: sourceMajor } = await serverVersion(source);
  const { major: targetMajor } = await serverVersion(target);
  const dump = await dumpSchema({
    endpoint: run.endpoint('source'),
    database,
    pgDump: await findPgDump({ sourceMajor, targetMajor }),
    snapshot,
    lockTimeoutMs: run.request.timeouts.lock,
    signal: run.signal,
  });
  return readArchive(dump);
}
