import type { Client, QueryResultRow } from 'pg';
import type { FailureFields, StoppedTable } from '../../../contract';
import { quoteQualified } from '../../connect';
import { withLedger, type LedgerIdentity } from '../../ledger';
import type { AppliedIdentity } from '../apply';
import { parseLsn, type Lsn } from '../lsn';
import { checkStream, LOCK_STREAM } from './ledger-position';

/** What of a table does not change while its changes are applied. */
export interface StreamTable {
  oid: number;
  /** Quoted, schema-qualified. */
  name: string;
  identity: AppliedIdentity;
}

/** What becomes of a table's changes. */
export interface TableState {
  streamState: 'applied' | 'stopped' | 'recopying';
  /** Its copy holds the commits before it. */
  copyLsn: Lsn;
  /** The keys of changed rows are noted for the final comparison. */
  keysNoted: boolean;
}

/** All tables whose changes can come; another one's are none of ours. */
export async function streamTables(client: Client): Promise<Map<number, StreamTable>> {
  const { rows } = await client.query<{
    table_oid: number;
    schema_name: string;
    table_name: string;
    identity: StreamTable['identity'];
  }>(
    `SELECT table_oid, schema_name, table_name, identity
       FROM flexlift.table_load WHERE identity IN ('key', 'full', 'append')`,
  );
  return new Map(
    rows.map((row) => [
      row.table_oid,
      { oid: row.table_oid, name: quoteQualified(row.schema_name, row.table_name), identity: row.identity },
    ]),
  );
}

/**
 * The tables' states as they stay until this transaction ends. To be asked after their changes were received: a table
 * that is set to be copied anew later takes its snapshot later still, which then holds these changes.
 *
 * Keys are noted from the first proof request on, not from the first proof: what changes while a proof is being made
 * counts too.
 */
export async function lockTableStates(client: Client, oids: number[]): Promise<Map<number, TableState>> {
  if (oids.length === 0) return new Map();
  const { rows } = await client.query<StateRow>(lockOfTableStates(oids));
  return tableStates(rows);
}

/**
 * `withLedger` for a batch: takes the stream and the tables' states in the round trip that begins its transaction.
 *
 * @throws FlexliftError Contention where the ledger is not at `from`; LedgerForeign, LedgerReleased
 */
export async function withStreamAndTableStates<T>(
  client: Client,
  identity: LedgerIdentity,
  { from, oids }: { from: Lsn; oids: number[] },
  work: (states: Map<number, TableState>) => Promise<T>,
): Promise<T> {
  const queries = [LOCK_STREAM, ...(oids.length === 0 ? [] : [lockOfTableStates(oids)])];
  const locked = async ([stream = [], states = []]: QueryResultRow[][]) => {
    checkStream(stream, from);
    return await work(tableStates(states as StateRow[]));
  };
  return await withLedger(client, identity, locked, queries);
}

interface StateRow {
  table_oid: number;
  stream_state: TableState['streamState'];
  copy_lsn: string | null;
  keys_noted: boolean;
}

function lockOfTableStates(oids: number[]): string {
  return `
    SELECT t.table_oid, t.stream_state, t.copy_lsn,
           (EXISTS (SELECT FROM flexlift.proof_request)
            OR EXISTS (SELECT FROM flexlift.proof p WHERE p.table_oid = t.table_oid)) AS keys_noted
      FROM flexlift.table_load t WHERE t.table_oid IN (${oids.join(', ')}) ORDER BY t.table_oid FOR SHARE OF t`;
}

function tableStates(rows: StateRow[]): Map<number, TableState> {
  return new Map(
    rows.map((row) => [
      row.table_oid,
      {
        streamState: row.stream_state,
        copyLsn: row.copy_lsn === null ? 0n : parseLsn(row.copy_lsn),
        keysNoted: row.keys_noted,
      },
    ]),
  );
}

/** What the ledger tells of the tables as a whole. */
export interface TablesOverview {
  stopped: StoppedTable[];
  isRecopying: boolean;
  proven: { tables: number; total: number };
}

export async function tablesOverview(client: Client): Promise<TablesOverview> {
  const { rows } = await client.query<{
    stopped: { schema: string; name: string; failure: FailureFields }[];
    recopying: boolean;
    proven: number;
    total: number;
  }>(
    `SELECT COALESCE(pg_catalog.jsonb_agg(
                       pg_catalog.jsonb_build_object('schema', schema_name, 'name', table_name, 'failure', stopped_by)
                       ORDER BY schema_name, table_name) FILTER (WHERE stream_state = 'stopped'), '[]') AS stopped,
            COALESCE(pg_catalog.bool_or(stream_state = 'recopying'), false) AS recopying,
            (SELECT pg_catalog.count(*)::int FROM flexlift.proof) AS proven,
            pg_catalog.count(*)::int AS total
       FROM flexlift.table_load WHERE identity IN ('key', 'full', 'append')`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('an aggregate without a row');
  return {
    stopped: row.stopped.map(({ schema, name, failure }) => ({
      table: quoteQualified(schema, name),
      failure,
    })),
    isRecopying: row.recopying,
    proven: { tables: row.proven, total: row.total },
  };
}
