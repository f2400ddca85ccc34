import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { FlexliftError, type FailurePlace } from '../../../contract';
import { withConnection, type Endpoint } from '../../connect';
import { formatLsn, parseLsn, type Lsn } from '../lsn';
import { slotLost } from './stream-failure';

/** An ended session is gone after milliseconds, unless the server is busy; both in milliseconds. */
const TERMINATION_LIMIT = 10_000;
const TERMINATION_POLL = 50;

export interface SlotWanted {
  slot: string;
  publications: string[];
  from: Lsn;
  predecessorPrefix?: string;
}

/**
 * Makes sure that the slot can be read from `from` on, and ends a predecessor that still holds it.
 *
 * @throws FlexliftError SlotLost; TargetRewound where the slot was told that more is durable than `from` says: the
 * server would skip what lies between without a word
 */
export async function makeSlotReady(
  client: Client,
  { slot, publications, from, predecessorPrefix }: SlotWanted,
  place: FailurePlace,
): Promise<void> {
  if (predecessorPrefix !== undefined) await endHolder(client, slot, predecessorPrefix);
  const { rows } = await client.query<{ confirmed: string; lost: boolean; missing: string[] }>(
    `SELECT s.confirmed_flush_lsn::text AS confirmed,
            COALESCE(pg_catalog.to_jsonb(s) ->> 'wal_status', '') = 'lost' AS lost,
            ARRAY(SELECT wanted FROM unnest($2::text[]) AS wanted
                   WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.pubname = wanted)) AS missing
       FROM pg_catalog.pg_replication_slots s
      WHERE s.slot_name = $1`,
    [slot, publications],
  );
  const state = rows[0];
  if (state === undefined) throw slotLost(`The replication slot ${slot} does not exist.`, place);
  if (state.lost) throw slotLost(`The WAL that the replication slot ${slot} needs was removed.`, place);
  const gone = state.missing[0];
  if (gone !== undefined) throw slotLost(`The publication ${gone} does not exist.`, place);
  if (from < parseLsn(state.confirmed)) {
    throw new FlexliftError({
      code: 'TargetRewound',
      sentence: `The target stands at ${formatLsn(from)}, before ${state.confirmed}, which it had confirmed to the slot ${slot}.`,
      remedy: 'Run flexlift recopy to copy the tables anew with a new slot.',
      ...place,
    });
  }
}

/** A worker that was killed leaves its walsender behind until the server notices, and with it the slot is active. */
async function endHolder(client: Client, slot: string, prefix: string): Promise<void> {
  const end = Date.now() + TERMINATION_LIMIT;
  while (Date.now() < end) {
    const { rows } = await client.query(
      `SELECT pg_catalog.pg_terminate_backend(a.pid)
         FROM pg_catalog.pg_replication_slots s
         JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
        WHERE s.slot_name = $1 AND pg_catalog.starts_with(a.application_name, $2)`,
      [slot, prefix],
    );
    if (rows.length === 0) return;
    await pause(TERMINATION_POLL);
  }
}

/**
 * Whether a walsender that says nothing is at work. While it goes through a large transaction of which nothing is
 * published (a refreshed materialized view), servers before 16 answer nobody for minutes; one that waits would answer.
 */
export async function isDecoding(
  endpoint: Endpoint,
  database: string,
  pid: number,
  signal: AbortSignal,
): Promise<boolean> {
  return await withConnection(endpoint, database, signal, async (client) => {
    const { rows } = await client.query(
      `SELECT FROM pg_catalog.pg_stat_activity
        WHERE pid = $1 AND backend_type = 'walsender'
          AND COALESCE(wait_event_type, '') NOT IN ('Activity', 'Client')`,
      [pid],
    );
    return rows.length > 0;
  });
}
