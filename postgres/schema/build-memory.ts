import type { Client } from 'pg';
import { atSide } from '../connect';

/** Of one build, kilobytes: with more a sort has less of the processor's caches, and what it cannot hold it merges anyway. */
const MOST = 1024 ** 2;

/**
 * Lets the session sort in memory what it builds: `maintenance_work_mem` becomes its share of what all builds at a time
 * get together, which is as much as the server's `shared_buffers`, a quarter of the memory on managed servers
 * (https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-server-parameters); at most 1 GB, and never less than
 * the server's own setting. A foreign key is checked with it, too.
 */
export async function useBuildMemory(client: Client, buildsAtOnce: number): Promise<void> {
  await atSide('target', client, () => client.query(USE_BUILD_MEMORY, [buildsAtOnce, MOST]));
}

const USE_BUILD_MEMORY = `
  SELECT pg_catalog.set_config('maintenance_work_mem', share.kilobytes || 'kB', false)
    FROM (SELECT LEAST(pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) / 1024 / $1::pg_catalog.int8,
                       $2::pg_catalog.int8) AS kilobytes) AS share
   WHERE share.kilobytes > pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) / 1024`;
