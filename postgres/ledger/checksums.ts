import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { withLedger, type LedgerIdentity } from './ledger';

export interface TableChecksum {
  /** Decimal, a bigint. */
  rows: string;
  checksum: string;
}

/**
 * Keeps the source's checksum of a table, taken under the snapshot that its parts are copied from.
 *
 * @throws FlexliftError SnapshotLost where another keeper's snapshot has taken over meanwhile
 */
export async function saveSourceChecksum(
  client: Client,
  identity: LedgerIdentity,
  tableOid: number,
  scope: number,
  { rows, checksum }: TableChecksum,
): Promise<void> {
  await withLedger(client, identity, async () => {
    const open = await client.query(
      `SELECT FROM flexlift.scope WHERE scope = $1 AND state = 'open' FOR SHARE`,
      [scope],
    );
    if (open.rowCount === 0) {
      throw new FlexliftError({
        code: 'SnapshotLost',
        sentence: 'The snapshot this checksum was taken under is gone.',
        remedy: 'Nothing to do: it is taken again under the next snapshot.',
      });
    }
    await client.query(
      `UPDATE flexlift.table_load SET source_scope = $2, source_rows = $3, source_checksum = $4 WHERE table_oid = $1`,
      [tableOid, scope, rows, checksum],
    );
  });
}

/** Keeps what the comparison of a table found on both sides. */
export async function saveComparison(
  client: Client,
  identity: LedgerIdentity,
  tableOid: number,
  { source, target }: { source: TableChecksum; target: TableChecksum },
): Promise<void> {
  await withLedger(client, identity, () =>
    client.query(
      `UPDATE flexlift.table_load
          SET source_rows = $2, source_checksum = $3, target_rows = $4, target_checksum = $5
        WHERE table_oid = $1`,
      [tableOid, source.rows, source.checksum, target.rows, target.checksum],
    ),
  );
}

/** The source's checksum as it was kept; `undefined` where none was taken. */
export async function keptSourceChecksum(
  client: Client,
  tableOid: number,
): Promise<TableChecksum | undefined> {
  const { rows } = await client.query<{ source_rows: string | null; source_checksum: string | null }>(
    'SELECT source_rows, source_checksum FROM flexlift.table_load WHERE table_oid = $1',
    [tableOid],
  );
  const [row] = rows;
  if (row?.source_rows == null || row.source_checksum === null) return undefined;
  return { rows: row.source_rows, checksum: row.source_checksum };
}
