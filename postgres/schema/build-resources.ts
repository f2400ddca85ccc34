import type { Client } from 'pg';
import { hostCpus } from '../catalog';
import { atSide } from '../connect';

/** Of one build, kilobytes: with more a sort has less of the processor's caches, and what it cannot hold it merges anyway. */
const MOST_MEMORY = 1024 ** 2;

/**
 * Gives a session that builds its share of the server, of which so many builds at a time have all:
 * - `maintenance_work_mem`: together as much as `shared_buffers`, a quarter of the memory on managed servers
 *   (https://learn.microsoft.com/azure/postgresql/flexible-server/concepts-server-parameters); at most 1 GB, and never less
 *   than the server's own setting. A foreign key is checked with it, too;
 * - `max_parallel_maintenance_workers`: no more than there are CPUs for, where their number may be known. Workers sort on
 *   disk what one process sorts in memory: without a CPU of their own they cost a fifth more.
 */
export async function useBuildResources(client: Client, buildsAtOnce: number): Promise<void> {
  await atSide('target', client, async () => {
    await client.query(USE_MEMORY, [buildsAtOnce, MOST_MEMORY]);
    const cpus = await hostCpus(client);
    if (cpus !== undefined)
      await client.query(USE_WORKERS, [Math.max(1, Math.floor(cpus / buildsAtOnce)) - 1]);
  });
}

const USE_MEMORY = `
  SELECT pg_catalog.set_config('maintenance_work_mem', share.kilobytes || 'kB', false)
    FROM (SELECT LEAST(pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) / 1024 / $1::pg_catalog.int8,
                       $2::pg_catalog.int8) AS kilobytes) AS share
   WHERE share.kilobytes > pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) / 1024`;

const USE_WORKERS = `
  SELECT pg_catalog.set_config('max_parallel_maintenance_workers', $1::pg_catalog.int4::pg_catalog.text, false)
   WHERE $1::pg_catalog.int4 < pg_catalog.current_setting('max_parallel_maintenance_workers')::pg_catalog.int4`;
