import type { Client } from 'pg';
import type { FailureFields } from '../../contract';
import { lockStream, withLedger, type LedgerIdentity, type TableChecksum } from '../ledger';
import { formatLsn, type Lsn } from '../replicate/lsn';

/** The table as it was proven: its changes are still applied, and it was not copied anew meanwhile. */
const STILL_STANDS = `stream_state = 'applied' AND COALESCE(copy_lsn <= $2, true)`;

export interface Proof {
  /** On the source. */
  table: number;
  checksum: TableChecksum;
  /** Of its definition on the source. */
  mark: string;
}

/**
 * Keeps that the tables were equal with exactly the commits before the LSN; what was changed until then need not be known
 * any longer.
 *
 * @returns how many tables it keeps it of: none that was stopped or copied anew meanwhile
 */
export async function recordProofs(
  ledger: Client,
  identity: LedgerIdentity,
  { lsn, proofs }: { lsn: Lsn; proofs: Proof[] },
): Promise<number> {
  if (proofs.length === 0) return 0;
  return await withLedger(ledger, identity, async () => {
    const { rows } = await ledger.query<{ oid: number }>(RECORD, [
      proofs.map(({ table }) => table),
      formatLsn(lsn),
      proofs.map(({ checksum }) => checksum.rows),
      proofs.map(({ checksum }) => checksum.checksum),
      proofs.map(({ mark }) => JSON.stringify(mark)),
    ]);
    await ledger.query('DELETE FROM flexlift.changed_rows WHERE table_oid = ANY ($1::oid[]) AND lsn <= $2', [
      rows.map(({ oid }) => oid),
      formatLsn(lsn),
    ]);
    return rows.length;
  });
}

const RECORD = `
  WITH found AS (
    SELECT * FROM unnest($1::oid[], $3::int8[], $4::text[], $5::jsonb[]) AS f(table_oid, rows, checksum, mark)),
  proven AS (
    INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum)
    SELECT t.table_oid, $2::pg_lsn, f.rows, f.checksum
      FROM flexlift.table_load t JOIN found f USING (table_oid)
     WHERE ${STILL_STANDS} FOR SHARE OF t
        ON CONFLICT (table_oid) DO UPDATE
       SET lsn = EXCLUDED.lsn, rows = EXCLUDED.rows, checksum = EXCLUDED.checksum, proven_at = pg_catalog.now()
    RETURNING table_oid)
  INSERT INTO flexlift.step (kind, key, detail)
  SELECT 'proven', table_oid::pg_catalog.text, f.mark FROM proven JOIN found f USING (table_oid)
      ON CONFLICT (kind, key) DO UPDATE SET detail = EXCLUDED.detail
  RETURNING key::pg_catalog.oid AS oid`;

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
