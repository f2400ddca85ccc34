import type { Client } from 'pg';
import { DatabaseError } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteLiteral } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';

/** Milliseconds. */
const READER_LOCK_TIMEOUT = 1_000;

/** A snapshot of the source that a keeper holds. */
export interface Scope {
  /** Its number in the ledger. */
  scope: number;
  /** What `pg_export_snapshot` said. */
  snapshot: string;
}

/** What stands in the way of completing a scope. */
export interface ScopeCompletion {
  complete: boolean;
  /** Not wholly copied under this scope. */
  tables: { oid: number; schema: string; name: string }[];
  largeObjectBatches: number[];
}

/** The open scope; `undefined` while no keeper holds one. */
export async function currentScope(target: Client, identity: LedgerIdentity): Promise<Scope | undefined> {
  const { rows } = await withLedger(target, identity, () =>
    target.query<Scope>(`SELECT scope, snapshot FROM flexlift.scope WHERE state = 'open'`),
  );
  return rows[0];
}

/**
 * The first transaction id that the client's snapshot does not see: where it is the same later on, nothing on the whole
 * server has written since. (Reading takes no transaction id.)
 */
export async function snapshotXmax(source: Client): Promise<string> {
  const { rows } = await source.query<{ xmax: string }>(
    'SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) AS xmax',
  );
  return rows[0]?.xmax ?? '0';
}

/** Whether anything was written on the source's server since the snapshot that the load was completed under. */
export async function hasSourceMoved(source: Client, target: Client): Promise<boolean> {
  const { rows } = await target.query<{ source_xmax: string }>(
    `SELECT source_xmax FROM flexlift.scope WHERE state = 'complete'`,
  );
  return rows[0]?.source_xmax !== (await snapshotXmax(source));
}

/**
 * Opens a scope, in the caller's ledger transaction.
 *
 * @throws FlexliftError SnapshotLost where another one is open: a second keeper was faster
 */
export async function openScope(target: Client, snapshot: string, sourceXmax: string): Promise<Scope> {
  // keepers one after the other; writers of parts take row locks only and do not wait
  await target.query('LOCK TABLE flexlift.scope IN SHARE ROW EXCLUSIVE MODE');
  const { rows } = await target.query<Scope>(
    `INSERT INTO flexlift.scope (snapshot, keeper, source_xmax, state)
     SELECT $1, pg_catalog.current_setting('application_name'), $2, 'open'
      WHERE NOT EXISTS (SELECT FROM flexlift.scope WHERE state <> 'dead')
     RETURNING scope, snapshot`,
    [snapshot, sourceXmax],
  );
  if (rows[0] === undefined) throw snapshotLost('Another keeper has opened its snapshot meanwhile.');
  return rows[0];
}

/**
 * Starts the transaction in which `client` sees what the snapshot's holder sees. In it a statement gives up soon where a
 * table cannot be locked: somebody waits to lock it exclusively until the keeper lets go of it, and would be waited for
 * in vain. The keeper copies such a table itself.
 *
 * @throws FlexliftError SnapshotLost where its holder is gone
 */
export async function importSnapshot(client: Client, snapshot: string): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`);
    await client.query(`SET LOCAL lock_timeout = ${READER_LOCK_TIMEOUT}`);
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    // 22023: no such snapshot; 42704: the same from 17 on; 55000: its holder has just ended
    if (error instanceof DatabaseError && ['22023', '42704', '55000'].includes(error.code ?? '')) {
      throw snapshotLost('The snapshot of the source is gone, for its holder is.', error);
    }
    throw error;
  }
}

/**
 * Closes the scope if everything is copied under it; then its snapshot is needed no more. Repeating it is harmless.
 *
 * @throws FlexliftError SnapshotLost where the scope is dead
 */
export async function completeScope(args: {
  target: Client;
  identity: LedgerIdentity;
  scope: number;
}): Promise<ScopeCompletion> {
  const { target, identity, scope } = args;
  return await withLedger(target, identity, async () => {
    const { rows } = await target.query<{ state: string }>(
      'SELECT state FROM flexlift.scope WHERE scope = $1 FOR UPDATE',
      [scope],
    );
    const state = rows[0]?.state ?? 'dead';
    if (state === 'dead') throw snapshotLost('The snapshot was lost before everything was copied.');
    const tables = await target.query<ScopeCompletion['tables'][number]>(
      `SELECT table_oid AS oid, schema_name AS schema, table_name AS name FROM flexlift.table_load t
        WHERE EXISTS (SELECT FROM flexlift.part p WHERE p.table_oid = t.table_oid
                                                    AND (p.copied_at IS NULL OR p.scope IS DISTINCT FROM $1))
        ORDER BY estimated_bytes DESC, table_oid`,
      [scope],
    );
    const batches = await target.query<{ batch: number }>(
      `SELECT batch FROM flexlift.large_object_batch
        WHERE copied_at IS NULL OR scope IS DISTINCT FROM $1 ORDER BY batch`,
      [scope],
    );
    const complete = tables.rows.length + batches.rows.length === 0;
    if (complete) {
      await target.query(
        `UPDATE flexlift.scope SET state = 'complete', closed_at = pg_catalog.now() WHERE scope = $1 AND state = 'open'`,
        [scope],
      );
    }
    return { complete, tables: tables.rows, largeObjectBatches: batches.rows.map((row) => row.batch) };
  });
}

export function snapshotLost(sentence: string, cause?: unknown): FlexliftError {
  return new FlexliftError(
    { code: 'SnapshotLost', sentence, remedy: 'Nothing to do: a new snapshot is taken.', side: 'source' },
    { cause },
  );
}
