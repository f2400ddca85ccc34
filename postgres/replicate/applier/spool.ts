import type { Client } from 'pg';
import type { ChangeCounts } from '../../../contract';
import { IS_UNCOPIED, remainingLoad, unfinishedTablesOfGroup, withLedger } from '../../ledger';
import { writeChanges } from '../apply';
import { formatLsn, parseLsn, type Lsn } from '../lsn';
import { PgoutputDecoder, type Change, type Relation } from '../pgoutput';
import { loadedTables, type BatchWriter } from './batch';
import type { SpooledChange } from './change-routing';
import { ChangedRows } from './changed-rows';
import { checkDeferredConstraints } from './deferred-constraints';
import { addCounts, advanceStream, lockStream, NO_CHANGES } from './ledger-position';
import { lockTableStates } from './table-states';
import { BATCH_BOUNDS } from './transaction-buffer';

/** Puts changes of tables that are being copied anew aside, in the batch's transaction and in their order. */
export async function spoolChanges(target: Client, changes: SpooledChange[]): Promise<void> {
  const byRelation = new Map<Relation, SpooledChange[]>();
  for (const change of changes) {
    const run = byRelation.get(change.relation);
    if (run === undefined) byRelation.set(change.relation, [change]);
    else run.push(change);
  }
  for (const [relation, run] of byRelation) {
    for (const batch of spoolBatches(run)) await insertSpooled(target, relation, batch);
  }
}

/** Bytes. An array of values goes as text, twice as long, and no string may have more than 512 MB. */
const LARGE_MESSAGE = 16 * 1024 ** 2;

/** Bytes that are read at once of one. */
const LARGEST_SLICE = 128 * 1024 ** 2;

/** In their order; what is large by itself. */
function* spoolBatches(changes: SpooledChange[]): Generator<SpooledChange[]> {
  let batch: SpooledChange[] = [];
  for (const change of changes) {
    if (change.message.length < LARGE_MESSAGE) {
      batch.push(change);
      continue;
    }
    if (batch.length > 0) yield batch;
    yield [change];
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

async function insertSpooled(target: Client, relation: Relation, batch: SpooledChange[]): Promise<void> {
  const [first, ...others] = batch;
  if (first !== undefined && others.length === 0) {
    await target.query(
      'INSERT INTO flexlift.spool (table_oid, commit_lsn, relation, message) VALUES ($1, $2, $3, $4)',
      [relation.oid, formatLsn(first.commitLsn), relation.message, first.message],
    );
    return;
  }
  await target.query(
    `INSERT INTO flexlift.spool (table_oid, commit_lsn, relation, message)
     SELECT $1, s.commit_lsn, $2, s.message
       FROM unnest($3::pg_lsn[], $4::bytea[]) WITH ORDINALITY AS s(commit_lsn, message, position)
      ORDER BY s.position`,
    [
      relation.oid,
      relation.message,
      batch.map(({ commitLsn }) => formatLsn(commitLsn)),
      batch.map(({ message }) => message),
    ],
  );
}

/** Tables whose new copy is complete, indexes and all, so that what was spooled meanwhile can follow. */
export async function tablesCopiedAnew(target: Client): Promise<number[]> {
  const { rows } = await target.query<{ table_oid: number; group_number: number | null }>(
    `SELECT table_oid, group_number FROM flexlift.table_load
      WHERE stream_state = 'recopying' AND copy_lsn IS NOT NULL ORDER BY table_oid`,
  );
  if (rows.length === 0) return [];
  const unfinished = new Set<number>();
  for (const group of new Set(rows.map((row) => row.group_number))) {
    const tables =
      group === null
        ? (await remainingLoad(target, { checksums: false })).largeTables
        : await unfinishedTablesOfGroup(target, group, { checksums: false });
    for (const { oid } of tables) unfinished.add(oid);
  }
  return rows.map((row) => row.table_oid).filter((oid) => !unfinished.has(oid));
}

async function isCopied(target: Client, oid: number): Promise<boolean> {
  const { rowCount } = await target.query(
    `SELECT FROM flexlift.table_load t WHERE table_oid = $1 AND copy_lsn IS NOT NULL AND NOT ${IS_UNCOPIED}`,
    [oid],
  );
  return rowCount === 1;
}

/**
 * Applies the oldest spooled changes of a table in one transaction that deletes them too; where none is left, the table
 * is one like the others again.
 *
 * @param lsn where the ledger stands; it stays there
 * @returns what was applied; `undefined` where the table has caught up, or its copy is gone again
 */
export async function applySpooled(
  writer: BatchWriter,
  oid: number,
  lsn: Lsn,
): Promise<ChangeCounts | undefined> {
  const { target, identity, tables, targetTables, replicaRole, signal } = writer;
  return await withLedger(target, identity, async () => {
    await lockStream(target, lsn);
    const states = await lockTableStates(target, [oid]);
    const state = states.get(oid);
    if (state?.streamState !== 'recopying') return undefined;
    // it may have been set to be copied anew once more since it was found complete
    if (!(await isCopied(target, oid))) return undefined;
    const chunk = await takeChunk(target, oid);
    if (chunk === undefined) {
      await endRecopy(target, oid);
      return undefined;
    }
    const changes = decode(chunk.filter(({ commitLsn }) => commitLsn >= state.copyLsn));
    if (changes.length === 0) return NO_CHANGES;
    const written = await writeChanges({
      target,
      tables: targetTables,
      changes,
      loaded: loadedTables(tables),
      isNoted: () => state.keysNoted,
      isContinued: false,
      signal,
    });
    if (!replicaRole) await checkDeferredConstraints(target, tables);
    // every proof that is aimed from now on lies behind the ledger's position
    await new ChangedRows(target).note(written.changedKeys, lsn);
    const counts = addCounts(NO_CHANGES, written);
    await advanceStream(target, { from: lsn, to: lsn, counts });
    return counts;
  });
}

interface SpooledRow {
  commitLsn: Lsn;
  relation: Buffer;
  message: Buffer;
}

/** `undefined` where none is left. */
async function takeChunk(target: Client, oid: number): Promise<SpooledRow[] | undefined> {
  const { rows } = await target.query<{
    change: string;
    commit_lsn: string;
    relation: Buffer;
    bytes: number;
    message: Buffer | null;
  }>(
    `WITH oldest AS (
       SELECT change, commit_lsn, relation, message, pg_catalog.length(message) AS bytes,
              pg_catalog.sum(pg_catalog.length(message)) OVER (ORDER BY change) AS upto
         FROM (SELECT * FROM flexlift.spool WHERE table_oid = $1 ORDER BY change LIMIT $2) AS s)
     SELECT change, commit_lsn, relation, bytes, CASE WHEN bytes < $4 THEN message END AS message
       FROM oldest
      WHERE upto <= $3 OR change = (SELECT pg_catalog.min(change) FROM oldest)
      ORDER BY change`,
    [oid, BATCH_BOUNDS.changes, BATCH_BOUNDS.bytes, LARGE_MESSAGE],
  );
  if (rows.length === 0) return undefined;
  const chunk: SpooledRow[] = [];
  for (const { change, commit_lsn, relation, bytes, message } of rows) {
    const whole = message ?? (await readSlices(target, change, bytes));
    chunk.push({ commitLsn: parseLsn(commit_lsn), relation, message: whole });
  }
  await target.query('DELETE FROM flexlift.spool WHERE change = ANY ($1::pg_catalog.int8[])', [
    rows.map(({ change }) => change),
  ]);
  return chunk;
}

async function readSlices(target: Client, change: string, bytes: number): Promise<Buffer> {
  const slices: Buffer[] = [];
  for (let from = 1; from <= bytes; from += LARGEST_SLICE) {
    const { rows } = await target.query<{ slice: Buffer }>(
      'SELECT pg_catalog.substr(message, $2, $3) AS slice FROM flexlift.spool WHERE change = $1',
      [change, from, LARGEST_SLICE],
    );
    slices.push(...rows.map(({ slice }) => slice));
  }
  return Buffer.concat(slices);
}

function decode(rows: SpooledRow[]): Change[] {
  const decoder = new PgoutputDecoder();
  let relation: Buffer | undefined;
  return rows.map((row) => {
    if (relation === undefined || !relation.equals(row.relation)) decoder.decode(row.relation);
    relation = row.relation;
    const event = decoder.decode(row.message);
    if (event === undefined || !isChange(event))
      throw new Error('the spool holds a message that is no change');
    return event;
  });
}

function isChange(event: { kind: string }): event is Change {
  return ['insert', 'update', 'delete', 'truncate'].includes(event.kind);
}

async function endRecopy(target: Client, oid: number): Promise<void> {
  await target.query(
    `UPDATE flexlift.table_load SET stream_state = 'applied', stopped_by = NULL WHERE table_oid = $1`,
    [oid],
  );
}
