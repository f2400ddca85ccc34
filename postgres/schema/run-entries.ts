import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { atSide } from '../connect';
import { withCutover, type LedgerIdentity } from '../ledger';
import { entryBatches } from './entry-batches';
import type { EntryPhase } from './entry-phase';
import { foreignKeyInSteps } from './foreign-key-in-steps';
import { LentRights } from './lent-rights';

export interface RunTask {
  /** A session on the target. */
  client: Client;
  identity: LedgerIdentity;
  /** The cutover that this is done for, where there is one: nothing is executed once that is called off. */
  attempt?: number;
  signal: AbortSignal;
  /** Called before each entry is sent, several of which may go at once, and at the end. */
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
  /** On the source, of the table that it belongs to; null: none. */
  tableOid: number | null;
  /**
   * Of the table that it belongs to, as planned, and of the one that a foreign key refers to, as it is; null where one of
   * them has no rows of its own, or there is none.
   */
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
    { stored: boolean; dump_id: number | null; table_oid: number | null } & Omit<
      StoredEntry,
      'dumpId' | 'tableOid'
    >
  >(PENDING_ENTRIES, [filter.phases ?? null, filter.tableOids ?? null, filter.dumpIds ?? null]);
  if (rows[0]?.stored !== true) {
    throw new FlexliftError({
      code: 'LedgerForeign',
      sentence: 'The ledger in the target database holds no schema yet.',
      remedy: 'Cancel this migration and start it again.',
    });
  }
  return rows.flatMap(({ dump_id: dumpId, table_oid: tableOid, phase, description, object, bytes }) =>
    dumpId === null ? [] : [{ dumpId, phase, description, object, tableOid, bytes }],
  );
}

/** Which table a foreign key refers to, as pg_dump writes it. */
const REFERENCED = String.raw`REFERENCES ((?:"(?:[^"]|"")*"|[^"( ])+)\(`;

const PENDING_ENTRIES = `
  SELECT stored, e.dump_id, e.phase, e.description, e.object, e.table_oid,
         t.estimated_bytes::pg_catalog.float8
         + CASE WHEN e.description = 'FK CONSTRAINT' THEN (
             SELECT pg_catalog.pg_table_size(c.oid)::pg_catalog.float8 FROM pg_catalog.pg_class c
              WHERE c.oid = pg_catalog.to_regclass(pg_catalog.substring(e.statement, '${REFERENCED}'))
                AND c.relkind = 'r')
           ELSE 0 END AS bytes
    FROM (SELECT EXISTS (SELECT FROM flexlift.step WHERE kind = 'phase' AND key = 'dump-schema')) AS s(stored)
    LEFT JOIN flexlift.archive_entry e
      ON e.skipped_by IS NULL
     AND ($1::pg_catalog.text[] IS NULL OR e.phase = ANY ($1))
     AND ($2::pg_catalog.oid[] IS NULL OR e.table_oid = ANY ($2))
     AND ($3::pg_catalog.int4[] IS NULL OR e.dump_id = ANY ($3))
     AND NOT EXISTS (SELECT FROM flexlift.step d WHERE d.kind = 'entry' AND d.key = e.dump_id::pg_catalog.text)
    LEFT JOIN flexlift.table_load t ON t.table_oid = e.table_oid
   ORDER BY CASE e.phase WHEN 'acl' THEN 1 WHEN 'post-acl' THEN 2 ELSE 0 END, e.position`;

/**
 * Executes entries in the given order, each in one transaction with its row in the ledger. What another attempt has
 * executed is passed over; where one is still at it, this one waits for its end.
 *
 * @throws FlexliftError naming the object; its whole batch is rolled back
 */
export async function runEntries(task: RunTask, entries: StoredEntry[]): Promise<void> {
  let done = 0;
  const total = entries.length;
  const isForCutover = task.attempt !== undefined;
  for (const batch of entryBatches(entries, { online: isForCutover })) {
    task.signal.throwIfAborted();
    const onEntry = ({ object }: TakenEntry) => task.onProgress?.({ done, total, object });
    const asOne = batch.length > 1;
    if (!asOne || !(await isAccepted(task, () => runBatch(task, batch, { asOne, onEntry })))) {
      await runBatch(task, batch, { asOne: false, onEntry });
    }
    done += batch.length;
  }
  task.onProgress?.({ done, total });
}

/**
 * What a server refuses of many statements that were sent as one is found by sending each by itself; so is the table whose
 * lock they wait for, which whoever waits for a cutover wants to know.
 */
async function isAccepted({ client, attempt }: RunTask, work: () => Promise<void>): Promise<boolean> {
  try {
    await atSide('target', client, work);
    return true;
  } catch (error) {
    if (!(error instanceof FlexliftError)) throw error;
    if (error.failureClass === 'permanent') return false;
    if (attempt !== undefined && error.code === 'Contention') return false;
    throw error;
  }
}

/** While an application waits, and cannot be told for which table. Milliseconds. */
const PATIENCE_AS_ONE = 1_000;

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
    if (asOne && task.attempt !== undefined)
      await client.query(`SET LOCAL lock_timeout = ${PATIENCE_AS_ONE}`);
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
  const { rows } = await client.query<TakenEntry & { isAdded: boolean }>(
    `WITH taken AS (
       INSERT INTO flexlift.step (kind, key, detail)
       SELECT 'entry', dump_id::pg_catalog.text, $2::pg_catalog.jsonb
         FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS b(dump_id, place) ORDER BY place
           ON CONFLICT DO NOTHING
       RETURNING key)
     SELECT e.dump_id AS "dumpId", e.object, e.creator, e.creates_in AS "createsIn",
            COALESCE((SELECT e.index_constraint FROM flexlift.step k
                       WHERE k.kind = 'key-index' AND k.key = e.dump_id::pg_catalog.text), e.statement) AS statement,
            EXISTS (SELECT FROM flexlift.step k
                     WHERE k.kind = 'foreign-key' AND k.key = e.dump_id::pg_catalog.text) AS "isAdded"
       FROM pg_catalog.unnest($1::pg_catalog.int4[]) WITH ORDINALITY AS b(dump_id, place)
       JOIN taken ON taken.key = b.dump_id::pg_catalog.text
       JOIN flexlift.archive_entry e ON e.dump_id = b.dump_id
      ORDER BY b.place
        FOR KEY SHARE OF e`,
    [batch.map(({ dumpId }) => dumpId), attempt === undefined ? null : JSON.stringify({ cutover: attempt })],
  );
  return rows.map(({ isAdded, ...entry }) => {
    const validate = isAdded ? foreignKeyInSteps(entry.statement)?.validate : undefined;
    return validate === undefined ? entry : { ...entry, statement: validate };
  });
}

/** Names the object in whatever the target refuses. */
export async function executeStatement(
  client: Client,
  { object, statement }: { object: string; statement: string },
): Promise<void> {
  await atSide('target', client, () => client.query(statement), object);
}
