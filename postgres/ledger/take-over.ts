import type { Client } from 'pg';
import { isLoadBuilt } from './table-load';

/**
 * A later run goes on with what the ledger holds, but trusts nothing that was read from the source in the run before
 * and is not tied to a snapshot that will be checked again. In the caller's transaction, which holds the ledger.
 */
export async function takeOver(client: Client, generation: number): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE flexlift.migration SET generation = $1 WHERE state = 'open'`,
    [generation],
  );
  if (rowCount === 0) return;
  await client.query(`DELETE FROM flexlift.step WHERE kind IN ('sequence', 'refresh', 'analyze')`);
  // where indexes are still to be built the next keeper compares its tables with the source of today
  if (!(await isLoadBuilt(client))) await giveUpScope(client);
  // a complete load has no keeper any more that would do so
  await client.query(
    `UPDATE flexlift.table_load
        SET source_scope = NULL, source_rows = NULL, source_checksum = NULL
      WHERE EXISTS (SELECT FROM flexlift.scope WHERE state = 'complete')`,
  );
}

async function giveUpScope(client: Client): Promise<void> {
  await client.query(
    `UPDATE flexlift.scope SET state = 'dead'
      WHERE table_oid IS NULL AND group_number IS NULL AND state = 'complete'`,
  );
}
