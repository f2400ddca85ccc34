import type { Client } from 'pg';
import { useBuildMemory } from '../../../postgres/schema';
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
  await useBuildMemory(client, buildsAtOnce);
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
