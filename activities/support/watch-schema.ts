import type { Client } from 'pg';
import type { DatabaseStep, Difference } from '../../contract';
import { withConnection } from '../../postgres/connect';
import { catalogAtDump, DriftWatch, unpublishedTables } from '../../postgres/prove';
import { driftOptions } from '../cutover-refusals';
import type { Run } from './run';

/** Looks again and again whether the source's schema is still the one that was dumped, and its tables are published. */
export async function watchSchema(
  { request, database }: DatabaseStep,
  run: Run,
): Promise<(source: Client) => Promise<Difference[]>> {
  const target = run.endpoint('target');
  const dumped = await withConnection(target, database, run.signal, catalogAtDump);
  const watch = dumped === undefined ? undefined : new DriftWatch(dumped, driftOptions(request));
  return async (source) => [
    ...((await watch?.look(source)) ?? []),
    ...(await withConnection(target, database, run.signal, (client) =>
      unpublishedTables({ source, target: client, migrationId: request.migrationId }),
    )),
  ];
}
