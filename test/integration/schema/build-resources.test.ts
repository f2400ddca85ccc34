import type { Client } from 'pg';
import { hostCpus } from '../../../postgres/catalog';
import { useBuildResources } from '../../../postgres/schema';
import { withSession, type Major } from '../../support/servers';

async function megabytes(client: Client, setting: string): Promise<number> {
  const { rows } = await client.query<{ size: string }>(
    `SELECT pg_size_bytes(current_setting('${setting}')) / 1024 / 1024 AS size`,
  );
  return Number(rows[0]?.size);
}

/** What a session has that was given so much, and builds one of so many. */
async function given(client: Client, own: string, buildsAtOnce: number): Promise<number> {
  await client.query(`SET maintenance_work_mem = '${own}'`);
  await useBuildResources(client, buildsAtOnce);
  return await megabytes(client, 'maintenance_work_mem');
}

test.each<Major>([11, 15, 18])('builds of %i share as much as its shared buffers', async (major) => {
  await withSession(major, 'postgres', async (client) => {
    const buffers = await megabytes(client, 'shared_buffers');
    expect(buffers).toBeGreaterThan(4);
    expect(await given(client, '1MB', 1)).toBe(Math.min(buffers, 1024));
    expect(await given(client, '1MB', 4)).toBe(Math.floor(buffers / 4));
    expect(await given(client, '2GB', 1)).toBe(2048);
  });
});

test('no more workers than there are CPUs for, where the user may know', async () => {
  await withSession(15, 'postgres', async (client) => {
    const workersOf = async (own: number, buildsAtOnce: number) => {
      await client.query(`SET max_parallel_maintenance_workers = ${own}`);
      await useBuildResources(client, buildsAtOnce);
      const { rows } = await client.query<{ max_parallel_maintenance_workers: string }>(
        'SHOW max_parallel_maintenance_workers',
      );
      return Number(rows[0]?.max_parallel_maintenance_workers);
    };
    const cpus = await hostCpus(client);
    if (cpus === undefined) throw new Error('a superuser on Linux may know');
    expect(await workersOf(100, 1)).toBe(cpus - 1);
    expect(await workersOf(100, cpus)).toBe(0);
    expect(await workersOf(100, 3 * cpus)).toBe(0);
    expect(await workersOf(0, 1)).toBe(0);
    await client.query(`SET ROLE pg_monitor`);
    expect(await hostCpus(client)).toBeUndefined();
    expect(await workersOf(7, cpus)).toBe(7);
  });
});
