import type { Client } from 'pg';
import { parseLsn, type Lsn } from '../lsn';

export interface SourceSystem {
  /** Tells a server from all others; a copy of its files has the same. */
  systemIdentifier: string;
  /** Another one after each failover. */
  timeline: number;
  /** Where its WAL ends. */
  end: Lsn;
}

/** @param client a replication connection */
export async function identifySystem(client: Client): Promise<SourceSystem> {
  const { rows } = await client.query<{ systemid: string; timeline: number | string; xlogpos: string }>(
    'IDENTIFY_SYSTEM',
  );
  const [row] = rows;
  if (row === undefined) throw new Error('IDENTIFY_SYSTEM returned nothing');
  return {
    systemIdentifier: row.systemid,
    timeline: Number(row.timeline),
    end: parseLsn(row.xlogpos),
  };
}
