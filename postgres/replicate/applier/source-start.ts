import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { endPredecessors } from '../../connect';
import { parseLsn, type Lsn } from '../lsn';
import { publicationNames } from '../source';
import type { StreamTable } from './table-states';

/** What a run needs to know of its source before it reads from it. */
export interface SourceStart {
  publications: string[];
  flushLsn: Lsn;
  /** What the source's clock is ahead of ours, milliseconds. */
  clockOffset: number;
}

/**
 * Ends what earlier attempts left on the source, and looks where it stands.
 *
 * @throws FlexliftError ServerRestarting where the source is in recovery
 */
export async function startSource(
  source: Client,
  { migrationId, predecessorPrefix }: { migrationId: string; predecessorPrefix: string },
  tables: Iterable<StreamTable>,
): Promise<SourceStart> {
  await endPredecessors(source, predecessorPrefix);
  await refuseRecovery(source);
  const { rows } = await source.query<{ lsn: string; now: Date }>(
    `SELECT pg_catalog.pg_current_wal_flush_lsn() AS lsn, pg_catalog.clock_timestamp() AS now`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a SELECT without a row');
  return {
    publications: await publicationsOf(source, migrationId, tables),
    flushLsn: parseLsn(row.lsn),
    clockOffset: row.now.getTime() - Date.now(),
  };
}

async function refuseRecovery(source: Client): Promise<void> {
  const { rows } = await source.query<{ recovering: boolean }>(
    'SELECT pg_catalog.pg_is_in_recovery() AS recovering',
  );
  if (rows[0]?.recovering !== true) return;
  throw new FlexliftError({
    code: 'ServerRestarting',
    sentence: 'The source is in recovery: it is a standby, or has not come up yet.',
    remedy: 'Point the source at the primary server; the work goes on by itself.',
    side: 'source',
  });
}

/** Those that are there, and those that must be: opening the stream fails without them. */
async function publicationsOf(
  source: Client,
  migrationId: string,
  tables: Iterable<StreamTable>,
): Promise<string[]> {
  const { keyed, append } = publicationNames(migrationId);
  const wanted = new Set<string>();
  for (const { identity } of tables) wanted.add(identity === 'append' ? append : keyed);
  const { rows } = await source.query<{ pubname: string }>(
    'SELECT pubname FROM pg_catalog.pg_publication WHERE pubname = ANY ($1::name[])',
    [[keyed, append]],
  );
  for (const { pubname } of rows) wanted.add(pubname);
  return [...wanted].sort();
}
