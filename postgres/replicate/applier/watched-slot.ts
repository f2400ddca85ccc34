import type { Client } from 'pg';
import type { FailurePlace } from '../../../contract';
import { slotLost } from '../pgoutput';

/** What the source says of our slot. */
export interface SlotState {
  /** WAL that the source keeps for it. */
  retainedBytes: number;
  /** `max_slot_wal_keep_size`, or `wal_keep_size` where that is more; absent: no limit, or a source before 13. */
  retainedLimitBytes?: number;
}

const MEGABYTE = 1024 ** 2;

const PLACE: FailurePlace = { side: 'source' };

/**
 * A column that the source's major does not have reads as null: `wal_status` came with 13, as did the limit.
 * https://www.postgresql.org/docs/current/view-pg-replication-slots.html
 *
 * @throws FlexliftError SlotLost where it is gone or was invalidated
 */
export async function readSlot(source: Client, slot: string): Promise<SlotState> {
  const { rows } = await source.query<{
    wal_status: string | null;
    retained: string | null;
    limit_mb: string | null;
  }>(
    `SELECT pg_catalog.to_jsonb(s) ->> 'wal_status' AS wal_status,
            pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn) AS retained,
            (SELECT pg_catalog.max(setting::pg_catalog.int8) FROM pg_catalog.pg_settings
              WHERE name IN ('max_slot_wal_keep_size', 'wal_keep_size')
                AND EXISTS (SELECT FROM pg_catalog.pg_settings
                             WHERE name = 'max_slot_wal_keep_size' AND setting <> '-1')) AS limit_mb
       FROM pg_catalog.pg_replication_slots s
      WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database()`,
    [slot],
  );
  const [row] = rows;
  if (row === undefined)
    throw slotLost(`The replication slot ${slot} does not exist on the source any more.`, PLACE);
  if (row.wal_status === 'lost') {
    throw slotLost(`The source has removed WAL that the replication slot ${slot} still needed.`, PLACE);
  }
  return {
    retainedBytes: Math.max(0, Number(row.retained ?? 0)),
    retainedLimitBytes: row.limit_mb === null ? undefined : Number(row.limit_mb) * MEGABYTE,
  };
}
