import type { Client } from 'pg';
import { otherSessions, type OtherSession } from './other-sessions';

/**
 * Who is writing in the connected database at this moment: sessions of others whose transaction has an id. Behind a
 * fence they have asked for READ WRITE, or write to temporary tables alone. Needs no rights; a transaction that is over
 * leaves no trace here.
 */
export async function currentWriters(client: Client, migrationId: string): Promise<OtherSession[]> {
  const others = await otherSessions(client, migrationId);
  const { rows } = await client.query<{ pid: number }>(
    'SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL',
  );
  const writing = new Set(rows.map(({ pid }) => pid));
  return others.filter(({ pid }) => writing.has(pid));
}
