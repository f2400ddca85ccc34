import { DatabaseError, type Client, type QueryResultRow } from 'pg';
import { FlexliftError } from '../../contract';
import { queryAll, quoteLiteral } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';
import { formatLsn, type Lsn } from '../replicate/lsn';

/** Milliseconds. */
const READER_LOCK_TIMEOUT = 1_000;

/** What a scope covers: one large table, one group of small ones, or, with neither, the whole database. */
export interface ScopeOf {
  tableOid?: number;
  group?: number;
}

/** A snapshot of the source that a keeper holds. */
export interface Scope {
  /** Its number in the ledger. */
  scope: number;
  /** What `pg_export_snapshot` said. */
  snapshot: string;
}

/** What {@link ScopeOf} covers, as parameters 1 and 2. */
export const OF_SCOPE = 'table_oid IS NOT DISTINCT FROM $1 AND group_number IS NOT DISTINCT FROM $2';

export function scopeParameters(of: ScopeOf): (number | null)[] {
  return [of.tableOid ?? null, of.group ?? null];
}

/** A scope with the application name of the sessions of whoever opened it, on either side. */
export interface HeldScope extends Scope {
  keeper: string;
}

/** The open scope; `undefined` while no keeper holds one. */
export async function currentScope(
  target: Client,
  identity: LedgerIdentity,
  of: ScopeOf = {},
): Promise<HeldScope | undefined> {
  const { rows } = await withLedger(target, identity, () =>
    target.query<HeldScope>(
      `SELECT scope, snapshot, keeper FROM flexlift.scope WHERE ${OF_SCOPE} AND state = 'open'`,
      scopeParameters(of),
    ),
  );
  return rows[0];
}

/**
 * Looks without a lock: a worker that stands still in the middle of it keeps nobody from the ledger.
 *
 * @throws FlexliftError SnapshotLost where nothing more will be copied under the scope, though not all is
 */
export async function isScopeComplete(target: Client, { scope, snapshot }: Scope): Promise<boolean> {
  const { rows } = await target.query<{ state: string }>(
    'SELECT state FROM flexlift.scope WHERE scope = $1 AND snapshot = $2',
    [scope, snapshot],
  );
  const state = rows[0]?.state ?? 'dead';
  if (state === 'dead') throw snapshotLost('Nothing is copied any more under the snapshot that was held.');
  return state === 'complete';
}

/** Is no snapshot's xmax: what was seen under it is always taken for out of date. */
const ALWAYS_MOVED = '0';

/**
 * What a scope keeps of the client's snapshot, for {@link hasSourceMoved}: the first transaction id that it does not
 * see. Where that is the same later on, no transaction from it on has ended, so nothing was committed on the whole
 * server since; reading takes no transaction id. That holds only where all transactions before it had ended: one that
 * was in progress or prepared at the snapshot commits unseen and leaves xmax as it is.
 */
export async function settledXmax(source: Client): Promise<string> {
  const { xmin, xmax } = await snapshotBounds(source);
  return xmin === xmax ? xmax : ALWAYS_MOVED;
}

async function snapshotBounds(source: Client): Promise<{ xmin: string; xmax: string }> {
  const { rows } = await source.query<{ xmin: string; xmax: string }>(
    `SELECT pg_catalog.txid_snapshot_xmin(s) AS xmin, pg_catalog.txid_snapshot_xmax(s) AS xmax
       FROM pg_catalog.txid_current_snapshot() s`,
  );
  if (rows[0] === undefined) throw new Error('txid_current_snapshot returned no row');
  return rows[0];
}

/**
 * Whether anything may have been committed on the source's server since the snapshot that the load was completed under.
 * What is in progress now does not matter: it is in no snapshot of now either.
 */
export async function hasSourceMoved(source: Client, target: Client): Promise<boolean> {
  const { rows } = await target.query<{ source_xmax: string }>(
    `SELECT source_xmax FROM flexlift.scope
      WHERE table_oid IS NULL AND group_number IS NULL AND state = 'complete'`,
  );
  return rows[0]?.source_xmax !== (await snapshotBounds(source)).xmax;
}

/** For whoever wants to see what the client's transaction sees; it can be imported as long as that lasts. */
export async function exportSnapshot(holder: Client): Promise<string> {
  const { rows } = await holder.query<{ snapshot: string }>(
    'SELECT pg_catalog.pg_export_snapshot() AS snapshot',
  );
  return rows[0]?.snapshot ?? '';
}

/** A snapshot that is to become a scope's. */
export interface NewScope {
  /** Default: the whole database. */
  of?: ScopeOf;
  snapshot: string;
  sourceXmax: string;
  /** Exactly the commits before it are in the snapshot; absent offline. */
  lsn?: Lsn;
}

/**
 * Opens a scope, in the caller's ledger transaction.
 *
 * @throws FlexliftError SnapshotLost where another one is open: a second keeper was faster
 */
export async function openScope(target: Client, { of = {}, ...scope }: NewScope): Promise<Scope> {
  // keepers one after the other; writers of parts take row locks only and do not wait
  await target.query('LOCK TABLE flexlift.scope IN SHARE ROW EXCLUSIVE MODE');
  // a whole database is loaded once; a group's next scope is for what was left or is copied anew
  const { rows } = await target.query<Scope>(
    `INSERT INTO flexlift.scope (table_oid, group_number, snapshot, keeper, source_xmax, lsn, state)
     SELECT $1, $2, $3, pg_catalog.current_setting('application_name'), $4, $5, 'open'
      WHERE NOT EXISTS (SELECT FROM flexlift.scope
                         WHERE ${OF_SCOPE} AND (state = 'open' OR (state = 'complete' AND $2::int4 IS NULL)))
     RETURNING scope, snapshot`,
    [
      ...scopeParameters(of),
      scope.snapshot,
      scope.sourceXmax,
      scope.lsn === undefined ? null : formatLsn(scope.lsn),
    ],
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
  await importAndAsk(client, snapshot);
}

/**
 * As {@link importSnapshot}, and makes sure that it is the scope's own: a server that was restarted gives the same names to
 * other snapshots, but a keeper that is there now was there when its name was looked up.
 *
 * @throws FlexliftError SnapshotLost where its keeper is gone
 */
export async function importScope(client: Client, { snapshot, keeper }: HeldScope): Promise<void> {
  const [keepers = []] = await importAndAsk(client, snapshot, [
    `SELECT pid FROM pg_catalog.pg_stat_activity
      WHERE application_name = ${quoteLiteral(keeper)} AND datname = pg_catalog.current_database()
        AND pid <> pg_catalog.pg_backend_pid()`,
  ]);
  if (keepers.length > 0) return;
  await client.query('ROLLBACK');
  throw snapshotLost('The snapshot of the source is gone, for its holder is.');
}

/** In one round trip, for each part of each table begins like that. @returns the rows of each question */
async function importAndAsk(
  client: Client,
  snapshot: string,
  questions: string[] = [],
): Promise<QueryResultRow[][]> {
  try {
    const [, , , ...answers] = await queryAll<QueryResultRow>(client, [
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
      `SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`,
      `SET LOCAL lock_timeout = ${READER_LOCK_TIMEOUT}`,
      ...questions,
    ]);
    return answers;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    // 22023: no such snapshot; 42704: the same from 17 on; 55000: its holder has just ended
    if (error instanceof DatabaseError && ['22023', '42704', '55000'].includes(error.code ?? '')) {
      throw snapshotLost('The snapshot of the source is gone, for its holder is.', error);
    }
    throw error;
  }
}

export function snapshotLost(sentence: string, cause?: unknown): FlexliftError {
  return new FlexliftError(
    { code: 'SnapshotLost', sentence, remedy: 'Nothing to do: a new snapshot is taken.', side: 'source' },
    { cause },
  );
}
