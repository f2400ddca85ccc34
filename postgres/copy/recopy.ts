import type { Client } from 'pg';
import {
  forgetLoadEnd,
  isDone,
  lockStream,
  onceForOrder,
  withLedger,
  WITHOUT_SLOT,
  type LedgerIdentity,
} from '../ledger';
import { refuseOpenScope, resetInBatches } from './reset-in-batches';
import { resetLargeObjects, resetTables } from './reset-tables';

const KIND = 'recopy';

/**
 * Makes the load copy one table anew while the others go on: from here on the applier puts its changes aside. One that is
 * not replicated has none: with its copy it is done. Waits for the applier's batch and for parts in flight. A group that
 * is being copied loses its scope with it.
 *
 * @param args.order once for each of these it is done: a late attempt would empty what was copied since. Absent: each time
 * @throws FlexliftError LedgerForeign, LedgerReleased
 */
export async function resetTableForRecopy(args: {
  target: Client;
  identity: LedgerIdentity;
  tableOid: number;
  order?: string;
}): Promise<void> {
  const { target, identity, tableOid, order } = args;
  await onceForOrder(target, identity, { kind: KIND, order }, async () => {
    // every batch holds this row until it is committed, and reads the tables' states under it
    await lockStream(target, 'UPDATE');
    for (const table of ['spool', 'changed_rows', 'proof']) {
      await target.query(`DELETE FROM flexlift.${table} WHERE table_oid = $1`, [tableOid]);
    }
    await target.query(
      `UPDATE flexlift.scope s SET state = 'dead', closed_at = pg_catalog.now()
         FROM flexlift.table_load t
        WHERE t.table_oid = $1
          AND ((s.table_oid = t.table_oid AND s.state <> 'dead')
               OR (s.group_number = t.group_number AND s.state = 'open'))`,
      [tableOid],
    );
    await resetTables(target, [{ oid: tableOid }]);
    await target.query(
      `UPDATE flexlift.table_load
          SET stream_state = CASE WHEN identity = 'late' THEN 'applied' ELSE 'recopying' END,
              stopped_by = NULL, copy_lsn = NULL, source_counters = NULL
        WHERE table_oid = $1`,
      [tableOid],
    );
  });
}

/**
 * Makes the load copy all tables and large objects anew, for a stream that starts at a new slot. Until then it stands
 * nowhere: an applier that was cut off finds the ledger moved on, and writes nothing into the emptied tables. Where this
 * dies in the middle, the ledger says so, and nothing goes on before it was repeated.
 *
 * @param args.order as of {@link resetTableForRecopy}
 * @throws FlexliftError LedgerForeign, LedgerReleased, SnapshotLost
 */
export async function resetAllForRecopy(args: {
  target: Client;
  identity: LedgerIdentity;
  order?: string;
}): Promise<void> {
  const { target, identity, order } = args;
  const isOver = async () => order !== undefined && (await isDone(target, { kind: KIND, key: order }));
  const tables = await withLedger(target, identity, async () => {
    // every batch of the applier holds this row until it is committed, and reads the tables' states under it
    await lockStream(target, 'UPDATE');
    return (await isOver()) ? undefined : await forgetAll(target);
  });
  if (tables === undefined) return;
  await resetInBatches({
    ...{ target, identity, tables },
    isWanted: async () => !(await isOver()) && (await refuseOpenScope(target)),
  });
  await onceForOrder(target, identity, { kind: KIND, order }, async () => {
    const { rowCount } = await target.query('UPDATE flexlift.stream SET lsn = $2 WHERE lsn = $1', [
      WITHOUT_SLOT.emptying,
      WITHOUT_SLOT.emptied,
    ]);
    // else another attempt at an order without a name has done it, and there is a new slot by now
    if (rowCount === 1) await resetLargeObjects(target);
  });
}

/** @returns the tables, all of which are to be copied anew. */
async function forgetAll(target: Client): Promise<{ oid: number }[]> {
  await target.query('UPDATE flexlift.stream SET lsn = $1', [WITHOUT_SLOT.emptying]);
  await forgetLoadEnd(target);
  await target.query(
    'TRUNCATE flexlift.spool, flexlift.changed_rows, flexlift.proof, flexlift.proof_request',
  );
  await target.query(
    `UPDATE flexlift.scope SET state = 'dead', closed_at = pg_catalog.now() WHERE state <> 'dead'`,
  );
  const { rows } = await target.query<{ oid: number }>(
    `UPDATE flexlift.table_load
        SET stream_state = 'applied', stopped_by = NULL, copy_lsn = NULL, source_counters = NULL
     RETURNING table_oid AS oid`,
  );
  return rows;
}
