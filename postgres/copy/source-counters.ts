import type { Client } from 'pg';

/** What the source's statistics say of a table's UPDATE and DELETE. */
export interface SourceCounters {
  oid: number;
  /** JSON; equal where nothing was counted, nothing reset and nothing lost in a crash. */
  counters: string;
  /** They count; without that equal counters say nothing. */
  counting: boolean;
}

// a crash empties the statistics and is seen in the time since when those of the whole server count
const COUNTERS = `
  SELECT t.oid,
         pg_catalog.jsonb_build_object(
           'updated', pg_catalog.pg_stat_get_tuples_updated(t.oid),
           'deleted', pg_catalog.pg_stat_get_tuples_deleted(t.oid),
           'databaseReset', pg_catalog.pg_stat_get_db_stat_reset_time(d.oid),
           'serverReset', pg_catalog.pg_stat_get_bgwriter_stat_reset_time(),
           'counting', pg_catalog.current_setting('track_counts'))::text AS counters,
         pg_catalog.current_setting('track_counts')::bool AS counting
    FROM pg_catalog.unnest($1::oid[]) AS t(oid)
    JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()`;

/**
 * The tables' counters as they stand now, whatever the transaction has seen of them before. A session reports what it
 * counted some time after its commit, at the latest at its end.
 */
export async function readSourceCounters(
  source: Client,
  tables: { oid: number }[],
): Promise<SourceCounters[]> {
  if (tables.length === 0) return [];
  await source.query('SELECT pg_catalog.pg_stat_clear_snapshot()');
  const { rows } = await source.query<SourceCounters>(COUNTERS, [tables.map((table) => table.oid)]);
  return rows;
}
