import type { Client } from 'pg';
import type { FailureFields } from '../../contract';
import { lockStream, withLedger, type LedgerIdentity, type TableChecksum } from '../ledger';
import { formatLsn, type Lsn } from '../replicate/lsn';

/** The table as it was proven: its changes are still applied, and it was not copied anew meanwhile. */
const STILL_STANDS = `stream_state = 'applied' AND COALESCE(copy_lsn <= $2, true)`;

/**
 * Keeps that the table was equal with exactly the commits before the LSN; what was changed until then need not be known
 * any longer.
 *
 * @returns how many tables it keeps it of: none where the table was stopped or copied anew meanwhile
 */
export async function recordProof(
  ledger: Client,
  identity: LedgerIdentity,
  proof: { table: number; lsn: Lsn; checksum: TableChecksum; mark: string },
): Promise<0 | 1> {
  return await withLedger(ledger, identity, async () => {
    const { table, lsn, checksum, mark } = proof;
    const { rowCount } = await ledger.query(
      `WITH proven AS (
         INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum)
         SELECT table_oid, $2, $3, $4 FROM flexlift.table_load WHERE table_oid = $1 AND ${STILL_STANDS} FOR SHARE
             ON CONFLICT (table_oid) DO UPDATE
            SET lsn = EXCLUDED.lsn, rows = EXCLUDED.rows, checksum = EXCLUDED.checksum, proven_at = pg_catalog.now()
         RETURNING table_oid)
       INSERT INTO flexlift.step (kind, key, detail) SELECT 'proven', table_oid::pg_catalog.text, $5 FROM proven
           ON CONFLICT (kind, key) DO UPDATE SET detail = EXCLUDED.detail`,
      [table, formatLsn(lsn), checksum.rows, checksum.checksum, JSON.stringify(mark)],
    );
    if (rowCount === 0) return 0;
    await ledger.query('DELETE FROM flexlift.changed_rows WHERE table_oid = $1 AND lsn <= $2', [
      table,
      formatLsn(lsn),
    ]);
    return 1;
  });
}

/** Stops a table that differs; its changes are not applied any more until it is copied anew. */
export async function stopDiffering(
  ledger: Client,
  identity: LedgerIdentity,
  found: { table: number; lsn: Lsn; failure: FailureFields },
): Promise<boolean> {
  return await withLedger(ledger, identity, async () => {
    // waits for the applier's batch; the next one is made by the tables' new states
    await lockStream(ledger, 'UPDATE');
    const { rowCount } = await ledger.query(
      `UPDATE flexlift.table_load SET stream_state = 'stopped', stopped_by = $3
        WHERE table_oid = $1 AND ${STILL_STANDS}`,
      [found.table, formatLsn(found.lsn), JSON.stringify(found.failure)],
    );
    if (rowCount === 0) return false;
    await ledger.query('DELETE FROM flexlift.proof WHERE table_oid = $1', [found.table]);
    await ledger.query('DELETE FROM flexlift.changed_rows WHERE table_oid = $1', [found.table]);
    return true;
  });
}
