import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { withLedger, type LedgerIdentity } from './ledger';
import type { TableChecksum } from './table-checksum';

export interface SourceChecksum extends TableChecksum {
  tableOid: number;
}

/**
 * Keeps the source's checksums of tables, taken under the snapshot that their parts are copied from.
 *
 * @throws FlexliftError SnapshotLost where another keeper's snapshot has taken over meanwhile
 */
export async function saveSourceChecksums(
  client: Client,
  identity: LedgerIdentity,
  scope: number,
  checksums: SourceChecksum[],
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
      `UPDATE flexlift.table_load t
          SET source_scope = $1, source_rows = c.rows, source_checksum = c.checksum
         FROM unnest($2::pg_catalog.oid[], $3::pg_catalog.int8[], $4::pg_catalog.text[]) AS c(table_oid, rows, checksum)
        WHERE t.table_oid = c.table_oid`,
      [
        scope,
        checksums.map(({ tableOid }) => tableOid),
        checksums.map(({ rows }) => rows),
        checksums.map(({ checksum }) => checksum),
      ],
    );
  });
}

export async function hasSourceChecksum(client: Client, tableOid: number): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM flexlift.table_load WHERE table_oid = $1 AND source_checksum IS NOT NULL',
    [tableOid],
  );
  return rowCount === 1;
}

/** What a comparison of a table found on both sides. */
export interface FoundChecksums {
  tableOid: number;
  source: TableChecksum;
  target: TableChecksum;
}

export async function saveComparisons(
  client: Client,
  identity: LedgerIdentity,
  comparisons: FoundChecksums[],
): Promise<void> {
  await withLedger(client, identity, () =>
    client.query(
      `UPDATE flexlift.table_load t
          SET source_rows = c.source_rows, source_checksum = c.source_checksum,
              target_rows = c.target_rows, target_checksum = c.target_checksum
         FROM unnest($1::pg_catalog.oid[], $2::pg_catalog.int8[], $3::pg_catalog.text[],
                     $4::pg_catalog.int8[], $5::pg_catalog.text[])
              AS c(table_oid, source_rows, source_checksum, target_rows, target_checksum)
        WHERE t.table_oid = c.table_oid`,
      [
        comparisons.map(({ tableOid }) => tableOid),
        comparisons.map(({ source }) => source.rows),
        comparisons.map(({ source }) => source.checksum),
        comparisons.map(({ target }) => target.rows),
        comparisons.map(({ target }) => target.checksum),
      ],
    ),
  );
}

/** The source's checksums as they were kept, by the table's oid; of none where none was taken. */
export async function keptSourceChecksums(
  client: Client,
  tableOids: number[],
): Promise<Map<number, TableChecksum>> {
  const { rows } = await client.query<{ oid: number } & TableChecksum>(
    `SELECT table_oid AS oid, source_rows AS rows, source_checksum AS checksum FROM flexlift.table_load
      WHERE table_oid = ANY ($1::pg_catalog.oid[]) AND source_rows IS NOT NULL AND source_checksum IS NOT NULL`,
    [tableOids],
  );
  return new Map(rows.map(({ oid, rows: count, checksum }) => [oid, { rows: count, checksum }]));
}
