import type { Client } from 'pg';
import { failed, type Rule, type ServerContext } from '../rule';

/**
 * The start time, in microseconds, tells running servers apart, also a server from its physical copy, which has the
 * same system identifier.
 */
export const sameServer: Rule<ServerContext> = {
  id: 'same-server',
  holds: 'Source and target are two servers.',
  async check({ source, target }) {
    const [one, other] = [await identity(source.client), await identity(target.client)];
    if (one !== other) return [];
    return [
      failed(
        'Source and target are one and the same server; a database cannot be migrated onto itself.',
        'Correct the host or port of the source or of the target.',
      ),
    ];
  },
};

async function identity(client: Client): Promise<string> {
  const { rows } = await client.query<{ identity: string }>(
    `SELECT pg_catalog.version() || ' ' || pg_catalog.pg_postmaster_start_time()::text AS identity`,
  );
  return rows[0]?.identity ?? '';
}
