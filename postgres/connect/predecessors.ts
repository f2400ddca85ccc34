import type { Client } from 'pg';

/**
 * Ends what earlier attempts of the same piece of work left running in this database: a worker that was killed leaves
 * its sessions behind until the server notices, and they hold locks until then.
 *
 * @param prefixes see `workPrefix`; sessions of `client`'s own application name are spared.
 * @returns how many sessions were ended.
 */
export async function endPredecessors(client: Client, ...prefixes: string[]): Promise<number> {
  const { rows } = await client.query<{ ended: boolean }>(
    `SELECT pg_catalog.pg_terminate_backend(pid) AS ended
       FROM pg_catalog.pg_stat_activity
      WHERE EXISTS (SELECT FROM pg_catalog.unnest($1::pg_catalog.text[]) AS prefix
                     WHERE pg_catalog.starts_with(application_name, prefix))
        AND application_name <> pg_catalog.current_setting('application_name')
        AND datname = pg_catalog.current_database()
        AND pid <> pg_catalog.pg_backend_pid()`,
    [prefixes],
  );
  return rows.filter((row) => row.ended).length;
}
