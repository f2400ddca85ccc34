import { DatabaseError, type Client } from 'pg';

/**
 * How many CPUs the server's host has, if that is a Linux and its files may be read: superusers may, and nobody is one on a
 * managed server.
 */
export async function hostCpus(client: Client): Promise<number | undefined> {
  const { rows } = await client.query<{ superuser: boolean }>(
    'SELECT rolsuper AS superuser FROM pg_catalog.pg_roles WHERE rolname = current_user',
  );
  if (rows[0]?.superuser !== true) return undefined;
  try {
    // with a length, for the file says that it has none
    const found = await client.query<{ cpus: number }>(
      `SELECT pg_catalog.count(*)::integer AS cpus
         FROM pg_catalog.regexp_matches(pg_catalog.pg_read_file('/proc/cpuinfo', 0, 10000000, true), '^processor\\s', 'gn')`,
    );
    const count = found.rows[0]?.cpus ?? 0;
    return count > 0 ? count : undefined;
  } catch (error) {
    if (error instanceof DatabaseError) return undefined;
    throw error;
  }
}
