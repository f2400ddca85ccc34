import type { Client } from 'pg';
import type { FailureFields } from '../../../contract';
import { withLedger, type LedgerIdentity } from '../../ledger';
import type { Lsn } from '../lsn';
import { lockStream } from './ledger-position';

/**
 * Takes a table out of the stream: its changes are skipped from now on, and nothing that was proven of it holds any
 * more.
 *
 * @param lsn where the ledger stood when the change was refused
 * @throws FlexliftError Contention where the ledger has moved on: the change may have been refused for that alone
 */
export async function stopTable(
  target: Client,
  identity: LedgerIdentity,
  { oid, failure, lsn }: { oid: number; failure: FailureFields; lsn: Lsn },
): Promise<void> {
  await withLedger(target, identity, async () => {
    await lockStream(target, lsn);
    const { rowCount } = await target.query(
      `UPDATE flexlift.table_load SET stream_state = 'stopped', stopped_by = $2
        WHERE table_oid = $1 AND NOT (stream_state = 'recopying' AND copy_lsn IS NULL)`,
      [oid, JSON.stringify(failure)],
    );
    // the change was refused before somebody set the table to be copied anew: the copy will have it
    if (rowCount === 0) return;
    await target.query('DELETE FROM flexlift.changed_rows WHERE table_oid = $1', [oid]);
    await target.query('DELETE FROM flexlift.proof WHERE table_oid = $1', [oid]);
    await target.query('DELETE FROM flexlift.spool WHERE table_oid = $1', [oid]);
  });
}
