import type { Client } from 'pg';
import { isLoaded, IS_UNCOPIED, withLedger, WITHOUT_SLOT, type LedgerIdentity } from '../ledger';
import { formatLsn, type Lsn } from '../replicate/lsn';
import { resetTables } from './reset-tables';
import { openScope, settledXmax, snapshotLost, type Scope, type ScopeOf } from './scope';
import type { SourceCounters } from './source-counters';

/** A planned table, and what of it the ledger says. */
export interface OnlineTable {
  oid: number;
  schema: string;
  name: string;
  /** As planned. */
  bytes: number;
  /** Its UPDATE and DELETE are not published: its counters are kept. */
  isAppendOnly: boolean;
}

/** The scope's tables of which something is left to copy, largest first. */
export async function tablesToCopy(target: Client, of: ScopeOf): Promise<OnlineTable[]> {
  const { rows } = await target.query<OnlineTable>(
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name, estimated_bytes::float8 AS bytes,
            identity IS NOT DISTINCT FROM 'append' AS "isAppendOnly"
       FROM flexlift.table_load t
      WHERE (table_oid = $1 OR group_number = $2)
        AND ${IS_UNCOPIED}
      ORDER BY estimated_bytes DESC, table_oid`,
    [of.tableOid, of.group],
  );
  return rows;
}

/**
 * Opens the scope of a snapshot with an LSN, and in the same transaction gives that LSN to its tables and empties those
 * that were copied in part under an earlier one: parts of two snapshots never mix in one table.
 *
 * @param args.source stands in the snapshot
 * @param args.counters as they stood before the snapshot was taken
 * @throws FlexliftError SnapshotLost where another keeper was faster, or the snapshot belongs to a load before this one
 */
export async function openExactScope(args: {
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  of: ScopeOf;
  tables: { oid: number }[];
  snapshot: string;
  lsn: Lsn;
  timeline: number;
  counters: SourceCounters[];
}): Promise<Scope> {
  const { source, target, identity, of, tables, snapshot, lsn, timeline, counters } = args;
  const sourceXmax = await settledXmax(source);
  return await withLedger(target, identity, async () => {
    const scope = await openScope(target, { of, snapshot, sourceXmax, lsn });
    await refuseOlderThanStream(target, lsn);
    // a failover may lose commits that the copy holds
    await target.query(
      `INSERT INTO flexlift.step (kind, key, detail) VALUES ('timeline', $1, $2)
           ON CONFLICT (kind, key) DO UPDATE SET detail = EXCLUDED.detail`,
      [String(scope.scope), timeline],
    );
    await resetTables(target, await copiedInPart(target, tables));
    await target.query(
      'UPDATE flexlift.table_load SET copy_lsn = $2, source_counters = NULL WHERE table_oid = ANY ($1::oid[])',
      [tables.map((table) => table.oid), formatLsn(lsn)],
    );
    await keepCounters(target, counters);
    return scope;
  });
}

/** Nothing is applied before the load's end: what was committed between such a snapshot and the stream's begin is nowhere. */
async function refuseOlderThanStream(target: Client, lsn: Lsn): Promise<void> {
  if (await isLoaded(target)) return;
  const { rowCount } = await target.query('SELECT FROM flexlift.stream WHERE lsn <= $1 OR lsn > $2', [
    WITHOUT_SLOT.emptying,
    formatLsn(lsn),
  ]);
  if (rowCount !== 0) throw snapshotLost('The tables are copied anew since the snapshot was taken.');
}

async function copiedInPart(target: Client, tables: { oid: number }[]): Promise<{ oid: number }[]> {
  const { rows } = await target.query<{ oid: number }>(
    `SELECT DISTINCT table_oid AS oid FROM flexlift.part
      WHERE table_oid = ANY ($1::oid[]) AND copied_at IS NOT NULL`,
    [tables.map((table) => table.oid)],
  );
  return rows;
}

export async function keepCounters(target: Client, counters: SourceCounters[]): Promise<void> {
  await target.query(
    `UPDATE flexlift.table_load t SET source_counters = c.counters
       FROM unnest($1::oid[], $2::jsonb[]) AS c(oid, counters) WHERE t.table_oid = c.oid`,
    [counters.map((row) => row.oid), counters.map((row) => row.counters)],
  );
}
