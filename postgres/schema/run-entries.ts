import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../contract';
import { atSide } from '../connect';
import { withCutover, type LedgerIdentity } from '../ledger';
import type { EntryPhase } from './entry-phase';
import { LentRights } from './lent-rights';

export interface RunTask {
  /** A session on the target. */
  client: Client;
  identity: LedgerIdentity;
  /** The cutover that this is done for, where there is one: nothing is executed once that is called off. */
  attempt?: number;
  signal: AbortSignal;
  /** Called before each entry and at the end. */
  onProgress?: (progress: EntryProgress) => void;
}

export interface EntryProgress {
  /** Entries of this run that are committed. */
  done: number;
  total: number;
  /** What is being executed, for people; absent at the end. */
  object?: string;
}

export interface StoredEntry {
  dumpId: number;
  phase: EntryPhase;
  /** E.g. `INDEX`. */
  description: string;
  /** For people: the kind and the quoted name. */
  object: string;
  /** Of the table that it belongs to, as planned; null where it has no rows of its own, or none at all. */
  bytes: number | null;
}

/** Which entries are meant; absent: all. */
export interface EntryFilter {
  phases?: EntryPhase[];
  tableOids?: number[];
  dumpIds?: number[];
}

/**
 * The entries that are neither executed nor left out by a rule, in the order in which they are to be executed.
 *
 * @throws FlexliftError LedgerForeign where no archive is stored
 */
export async function pendingEntries(client: Client, filter: EntryFilter = {}): Promise<StoredEntry[]> {
  const { rows } = await client.query<
    { stored: boolean; dump_id: number | null } & Omit<StoredEntry, 'dumpId'>
  >(PENDING_ENTRIES, [filter.phases ?? null, filter.tableOids ?? null, filter.dumpIds ?? null]);
  if (rows[0]?.stored !== true) {
    throw new FlexliftError({
      code: 'LedgerForeign',
      sentence: 'The ledger in the target database holds no schema yet.',
      remedy: 'Cancel this migration and start it again.',
    });
  }
  return rows.flatMap(({ dump_id: dumpId, phase, description, object, bytes }) =>
    dumpId === null ? [] : [{ dumpId, phase, description, object, bytes }],
  );
}

const PENDING_ENTRIES = `
  SELECT stored, e.dump_id, e.phase, e.description, e.object, t.estimated_bytes::pg_catalog.float8 AS bytes
    FROM (SELECT EXISTS (SELECT FROM flexlift.step WHERE kind = 'phase' AND key = 'dump-schema')) AS s(stored)
    LEFT JOIN flexlift.archive_entry e
      ON e.skipped_by IS NULL
     AND ($1::pg_catalog.text[] IS NULL OR e.phase = ANY ($1))
     AND ($2::pg_catalog.oid[] IS NULL OR e.table_oid = ANY ($2))
     AND ($3::pg_catalog.int4[] IS NULL OR e.dump_id = ANY ($3))
     AND NOT EXISTS (SELECT FROM flexlift.step d WHERE d.kind = 'entry' AND d.key = e.dump_id::pg_catalog.text)
    LEFT JOIN flexlift.table_load t ON t.table_oid = e.table_oid
   ORDER BY CASE e.phase WHEN 'acl' THEN 1 WHEN 'post-acl' THEN 2 ELSE 0 END, e.position`;

/** So many entries share a transaction. */
const ENTRIES_TOGETHER = 100;
/** Of the tables that entries of one transaction read. */
const BYTES_TOGETHER = 64 * 1024 ** 2;

/** What reads a table: with a large one, alone in its transaction, lest an hour's work be lost with its neighbour. */
const READING = ['INDEX', 'CONSTRAINT', 'CHECK CONSTRAINT', 'FK CONSTRAINT'];

/**
 * Executes entries in the given order, each in one transaction with its row in the ledger. What another attempt has
 * executed is passed over; where one is still at it, this one waits for its end.
 *
 * @throws FlexliftError naming the object; its whole batch is rolled back
 */
export async function runEntries(task: RunTask, entries: StoredEntry[]): Promise<void> {
  let done = 0;
  const total = entries.length;
  for (const batch of batches(entries)) {
    task.signal.throwIfAborted();
    const onEntry = ({ object }: TakenEntry) => task.onProgress?.({ done, total, object });
    if (batch.length === 1 || !(await succeeds(() => runBatch(task, batch, { asOne: true, onEntry })))) {
      await runBatch(task, batch, { asOne: false, onEntry });
    }
    done += batch.length;
  }
  task.onProgress?.({ done, total });
}

/** admin_shutdown and its like, after which the session takes no statement. */
const SESSION_ENDED = /^57P/;

/** What a server refused of many statements that were sent as one is found by sending each by itself. */
async function succeeds(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof DatabaseError && !SESSION_ENDED.test(error.code ?? '')) return false;
    throw error;
  }
}

interface BatchOptions {
  /** Statements that need nothing done between them are sent as one: a round trip for each is most of their time. */
  asOne: boolean;
  onEntry: (entry: TakenEntry) => void;
}

async function runBatch(
  task: RunTask,
  batch: StoredEntry[],
  { asOne, onEntry }: BatchOptions,
): Promise<void> {
  const { client, signal } = task;
  await withCutover(client, task.identity, task.attempt, async () => {
    const rights = new LentRights(client);
    const pending: TakenEntry[] = [];
    const flush = async () => {
      const together = pending.splice(0);
      if (together.length > 0) await client.query(together.map(({ statement }) => statement).join('\n;\n'));
    };
    for (const entry of await takeEntries(task, batch)) {
      signal.throwIfAborted();
      onEntry(entry);
      const creator = entry.creator === null ? undefined : { role: entry.creator, schema: entry.createsIn };
      if (creator !== undefined && rights.mayLack(creator)) {
        await flush();
        await rights.lend(creator);
      }
      if (asOne) pending.push(entry);
      else await executeStatement(client, entry);
    }
    await flush();
    await rights.takeBack();
  });
}

function* batches(entries: StoredEntry[]): Generator<StoredEntry[]> {
  let batch: StoredEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const read = READING.includes(entry.description) ? (entry.bytes ?? Infinity) : 0;
    const isFull = batch.length === ENTRIES_TOGETHER || bytes + read > BYTES_TOGETHER;
    if (isFull && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += read;
  }
  if (batch.length > 0) yield batch;
}

interface TakenEntry {
  dumpId: number;
  object: string;
  statement: string;
  /** See {@link LentRights}. */
  creator: string | null;
  createsIn: string | null;
}

/** Writes the rows, and with them takes the locks, of those that nobody has executed. */
async function takeEntries({ client, attempt }: RunTask, batch: StoredEntry[]): Promise<TakenEntry[]> {
  const { rows } = await client.query<TakenEntry>(
    `WITH taken AS (
       INSERT INTO flexlift.step (kind, key, detail)
       SELECT 'entry', dump_id::pg_catalog.text, $2::pg_catalog.jsonb
         FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS b(dump_id, place) ORDER BY place
           ON CONFLICT DO NOTHING
       RETURNING key)
     SELECT e.dump_id AS "dumpId", e.object, e.statement, e.creator, e.creates_in AS "createsIn"
       FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS b(dump_id, place)
       JOIN taken ON taken.key = b.dump_id::pg_catalog.text
       JOIN flexlift.archive_entry e ON e.dump_id = b.dump_id
      ORDER BY b.place`,
    [batch.map(({ dumpId }) => dumpId), attempt === undefined ? null : JSON.stringify({ cutover: attempt })],
  );
  return rows;
}

/** Names the object in whatever the target refuses. */
export async function executeStatement(
  client: Client,
  { object, statement }: { object: string; statement: string },
): Promise<void> {
  await atSide('target', client, () => client.query(statement), object);
}
