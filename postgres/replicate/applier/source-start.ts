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
  const { keyed, append } = publicationNames(migrationId);
  const { rows } = await source.query<{ lsn: string | null; now: Date; publications: string[] }>(
    `SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_current_wal_flush_lsn() END AS lsn,
            pg_catalog.clock_timestamp() AS now,
            ARRAY(SELECT pubname::pg_catalog.text FROM pg_catalog.pg_publication
                   WHERE pubname = ANY ($1::pg_catalog.name[])) AS publications`,
    [[keyed, append]],
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a SELECT without a row');
  if (row.lsn === null) throw inRecovery();
  const publications = new Set(row.publications);
  // those that must be there, too: opening the stream fails without them
  for (const { identity } of tables) publications.add(identity === 'append' ? append : keyed);
  return {
    publications: [...publications].sort(),
    flushLsn: parseLsn(row.lsn),
    clockOffset: row.now.getTime() - Date.now(),
  };
}

function inRecovery(): FlexliftError {
  return new FlexliftError({
    code: 'ServerRestarting',
    sentence: 'The source is in recovery: it is a standby, or has not come up yet.',
    remedy: 'Point the source at the primary server; the work goes on by itself.',
    side: 'source',
  });
}
