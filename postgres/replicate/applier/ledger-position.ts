import type { Client, QueryResultRow } from 'pg';
import { FlexliftError, type ChangeCounts, type Difference } from '../../../contract';
import { withLedger, type LedgerIdentity } from '../../ledger';
import { formatLsn, parseLsn, type Lsn } from '../lsn';
import type { HeldTimeline } from '../pgoutput';

/** Where the ledger says the stream stands. */
export interface StreamRow {
  slot: string;
  systemIdentifier: string;
  /** Of the source. Absent: a ledger that earlier code began, before its first start. */
  timeline?: number;
  lsn: Lsn;
  /** Up to `lsn`, and up to the snapshots of copies, which may be ahead of it. */
  held: HeldTimeline[];
  /** Of the last transaction that was applied, before that of the ledger's own making; milliseconds since 1970. */
  commitTime: number;
  counts: ChangeCounts;
  /** The target allows `session_replication_role = replica`. */
  replicaRole: boolean;
  drift: Difference[];
}

export const NO_CHANGES: ChangeCounts = { transactions: 0, inserts: 0, updates: 0, deletes: 0, truncates: 0 };

/** Of those whose rows are still what the tables hold. */
const HELD_BY_COPIES = `
  (SELECT COALESCE(pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('timeline', k.detail, 'lsn', c.lsn)), '[]')
     FROM flexlift.scope c
     JOIN flexlift.step k ON k.kind = 'timeline' AND k.key = c.scope::pg_catalog.text
    WHERE EXISTS (SELECT FROM flexlift.table_load t WHERE t.copy_lsn = c.lsn))`;

function heldTimelines(row: {
  timeline: number | null;
  lsn: string;
  copies: { timeline: number; lsn: string }[];
}): HeldTimeline[] {
  const { timeline, lsn, copies } = row;
  const stream = timeline === null ? [] : [{ timeline, lsn }];
  return [...stream, ...copies].map((each) => ({ timeline: each.timeline, lsn: parseLsn(each.lsn) }));
}

export async function readStream(client: Client): Promise<StreamRow> {
  const { rows } = await client.query<
    Record<'slot' | 'system_identifier' | 'lsn' | keyof ChangeCounts, string> & {
      timeline: number | null;
      commit_time: Date;
      replica_role: boolean;
      drift: Difference[];
      copies: { timeline: number; lsn: string }[];
    }
  >(`SELECT s.slot, s.system_identifier, s.timeline, s.lsn, s.replica_role, s.drift,
            ${HELD_BY_COPIES} AS copies,
            COALESCE(s.commit_time, m.created_at) AS commit_time, s.transactions, s.inserts, s.updates, s.deletes, s.truncates
       FROM flexlift.stream s, flexlift.migration m`);
  const [row] = rows;
  if (row === undefined) throw new Error('the ledger holds no stream: the source was not prepared');
  return {
    slot: row.slot,
    systemIdentifier: row.system_identifier,
    timeline: row.timeline ?? undefined,
    lsn: parseLsn(row.lsn),
    held: heldTimelines(row),
    commitTime: row.commit_time.getTime(),
    counts: {
      transactions: Number(row.transactions),
      inserts: Number(row.inserts),
      updates: Number(row.updates),
      deletes: Number(row.deletes),
      truncates: Number(row.truncates),
    },
    replicaRole: row.replica_role,
    drift: row.drift,
  };
}

/**
 * Takes the stream for the rest of the transaction. It comes before a batch's first change: two appliers that write the
 * same changes would meet on a row instead, and blame its table.
 */
export const LOCK_STREAM = 'SELECT lsn FROM flexlift.stream FOR NO KEY UPDATE';

/** @throws FlexliftError Contention where the ledger has moved on without us */
export async function lockStream(client: Client, expected: Lsn): Promise<void> {
  const { rows } = await client.query<QueryResultRow>(LOCK_STREAM);
  checkStream(rows, expected);
}

/**
 * @param rows what {@link LOCK_STREAM} answers
 * @throws FlexliftError Contention where the ledger has moved on without us
 */
export function checkStream([row]: QueryResultRow[], expected: Lsn): void {
  const lsn = row?.['lsn'] as string | undefined;
  if (lsn === undefined || parseLsn(lsn) !== expected) throw anotherApplier();
}

/**
 * Keeps the source's timeline, before anything of it is applied: what is applied would else count as lost.
 *
 * @throws FlexliftError Contention where the ledger has moved on without us
 */
export async function followTimeline(
  client: Client,
  identity: LedgerIdentity,
  { stream, timeline }: { stream: StreamRow; timeline: number },
): Promise<void> {
  if (timeline === stream.timeline) return;
  await withLedger(client, identity, async () => {
    await lockStream(client, stream.lsn);
    await client.query('UPDATE flexlift.stream SET timeline = $1', [timeline]);
  });
}

export interface Advance {
  from: Lsn;
  to: Lsn;
  /** Absent: no transaction was applied. */
  commitTime?: number;
  counts: ChangeCounts;
  /** The commit waits for the target's disk. Default true. */
  isDurable?: boolean;
}

/** @throws FlexliftError Contention where the ledger is not at `from` any more */
export async function advanceStream(
  client: Client,
  { from, to, commitTime, counts, isDurable = true }: Advance,
): Promise<void> {
  const { rowCount } = await client.query(
    `UPDATE flexlift.stream
        SET lsn = $2, commit_time = COALESCE(pg_catalog.to_timestamp($3::float8 / 1000), commit_time),
            transactions = transactions + $4, inserts = inserts + $5, updates = updates + $6,
            deletes = deletes + $7, truncates = truncates + $8
      WHERE lsn = $1
     RETURNING CASE WHEN NOT $9::pg_catalog.bool THEN pg_catalog.set_config('synchronous_commit', 'off', true) END`,
    [
      formatLsn(from),
      formatLsn(to),
      commitTime ?? null,
      counts.transactions,
      counts.inserts,
      counts.updates,
      counts.deletes,
      counts.truncates,
      isDurable,
    ],
  );
  if (rowCount !== 1) throw anotherApplier();
}

function anotherApplier(): FlexliftError {
  return new FlexliftError({
    code: 'Contention',
    sentence: 'Another applier has moved the ledger on.',
    remedy: 'Nothing to do: it is tried again from where the ledger stands.',
    side: 'target',
  });
}

export function addCounts(a: ChangeCounts, b: Partial<ChangeCounts>): ChangeCounts {
  return {
    transactions: a.transactions + (b.transactions ?? 0),
    inserts: a.inserts + (b.inserts ?? 0),
    updates: a.updates + (b.updates ?? 0),
    deletes: a.deletes + (b.deletes ?? 0),
    truncates: a.truncates + (b.truncates ?? 0),
  };
}
