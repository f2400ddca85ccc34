import type { Client } from 'pg';
import type { CopiedAmount } from './frame-relay';
import { snapshotLost } from './scope';

export interface PartCopied extends CopiedAmount {
  tableOid: number;
  part: number;
  seconds: number;
}

/**
 * As long as this transaction runs, the scope cannot be declared dead and its tables reset.
 *
 * @throws FlexliftError SnapshotLost where it is not open any more
 */
export async function lockOpenScope(target: Client, scope: number): Promise<void> {
  const open = await target.query(
    `SELECT FROM flexlift.scope WHERE scope = $1 AND state = 'open' FOR SHARE`,
    [scope],
  );
  if (open.rowCount === 0) throw snapshotLost('The snapshot this part is to be copied from was given up.');
}

/** Notes parts in the ledger, in the transaction that copied them. */
export async function markCopied(target: Client, scope: number, parts: PartCopied[]): Promise<void> {
  await target.query(
    `UPDATE flexlift.part p
        SET scope = $1, rows = c.rows, bytes = c.bytes, seconds = c.seconds, copies = copies + 1,
            copied_by = pg_catalog.current_setting('application_name'), copied_at = pg_catalog.clock_timestamp()
       FROM unnest($2::pg_catalog.oid[], $3::pg_catalog.int4[], $4::pg_catalog.int8[],
                   $5::pg_catalog.int8[], $6::pg_catalog.float8[])
            AS c(table_oid, part, rows, bytes, seconds)
      WHERE p.table_oid = c.table_oid AND p.part = c.part`,
    [
      scope,
      parts.map((copied) => copied.tableOid),
      parts.map((copied) => copied.part),
      parts.map((copied) => copied.rows),
      parts.map((copied) => copied.bytes),
      parts.map((copied) => copied.seconds),
    ],
  );
}
