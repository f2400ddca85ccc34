import type { Client } from 'pg';
import { withLedger, type LedgerIdentity } from '../ledger';
import { atSide } from '../connect';
import type { LargeObjectRange } from './large-object-batches';
import { copyLargeObjectData } from './large-object-data';
import { copyLargeObjectProperties, type PropertyChoice } from './large-object-properties';
import type { Pace } from './pace';
import { snapshotLost } from './scope';

export interface CopyLargeObjectsArguments extends PropertyChoice {
  /** In a transaction with one snapshot, the scope's where there is one. */
  source: Client;
  target: Client;
  identity: LedgerIdentity;
  /**
   * The number of the scope whose snapshot `source` stands in. Absent online, where each batch is copied under any
   * snapshot: at the cutover they are compared, and copied anew where they differ.
   */
  scope?: number;
  /** From 1 on. */
  batch: number;
  signal: AbortSignal;
  pace?: Pace;
  onProgress?: (progress: { bytes: number }) => void;
}

export interface CopiedLargeObjects {
  objects: number;
  bytes: number;
  seconds: number;
  /** It had been copied before; the amounts are the ledger's. */
  alreadyDone: boolean;
}

interface BatchRow {
  after_oid: number | null;
  upto_oid: number | null;
  copied: boolean;
  objects: string | null;
  bytes: string | null;
  seconds: number | null;
}

/**
 * Copies one batch of large objects, each with its OID, owner, privileges and comment, in one transaction with its
 * ledger row. What the batch's range holds on the target already, from an earlier snapshot, is removed first.
 *
 * @throws FlexliftError SnapshotLost where the scope is not open any more, and what either server throws
 */
export async function copyLargeObjects(args: CopyLargeObjectsArguments): Promise<CopiedLargeObjects> {
  const { target, identity } = args;
  const work = () =>
    withLedger(target, identity, async () => {
      const batch = await lockBatch(args);
      if (batch.copied) {
        const { objects, bytes, seconds } = batch;
        return { objects: Number(objects), bytes: Number(bytes), seconds: seconds ?? 0, alreadyDone: true };
      }
      const started = performance.now();
      const range = { after: batch.after_oid ?? undefined, upTo: batch.upto_oid ?? undefined };
      const { objects, bytes } = await copyLargeObjectRange(args, range);
      const seconds = (performance.now() - started) / 1000;
      await target.query(
        `UPDATE flexlift.large_object_batch
            SET scope = $2, objects = $3, bytes = $4, seconds = $5, copies = copies + 1,
                copied_by = pg_catalog.current_setting('application_name'), copied_at = pg_catalog.clock_timestamp()
          WHERE batch = $1`,
        [args.batch, args.scope, objects, bytes, seconds],
      );
      return { objects, bytes, seconds, alreadyDone: false };
    });
  return await atSide('target', target, work);
}

async function lockBatch({ target, scope, batch }: CopyLargeObjectsArguments): Promise<BatchRow> {
  if (scope !== undefined) {
    const open = await target.query(
      `SELECT FROM flexlift.scope WHERE scope = $1 AND state = 'open' FOR SHARE`,
      [scope],
    );
    if (open.rowCount === 0)
      throw snapshotLost('The snapshot these large objects were to be copied from was given up.');
  }
  const { rows } = await target.query<BatchRow>(
    `SELECT after_oid, upto_oid, copied_at IS NOT NULL AS copied, objects, bytes, seconds
       FROM flexlift.large_object_batch WHERE batch = $1 FOR UPDATE`,
    [batch],
  );
  if (rows[0] === undefined) throw new Error(`the ledger knows no batch ${batch} of large objects`);
  return rows[0];
}

/** Puts the source's objects of a range in the place of the target's, in the target's transaction. */
export async function copyLargeObjectRange(
  args: Pick<CopyLargeObjectsArguments, 'source' | 'target' | 'signal' | 'pace' | 'onProgress'> &
    PropertyChoice,
  range: LargeObjectRange,
): Promise<{ objects: number; bytes: number }> {
  const { source, target, signal, pace, onProgress } = args;
  let bytes = 0;
  const oids = await atSide('source', source, () => oidsOf(source, range));
  const stale = await oidsOf(target, range);
  await target.query('SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.unnest($1::oid[]) AS oid', [stale]);
  const onBytes = async (more: number) => {
    bytes += more;
    onProgress?.({ bytes });
    pace?.spend(more);
    await pace?.held(signal);
  };
  await copyLargeObjectData({ source, target, signal, onBytes }, oids);
  await copyLargeObjectProperties({ source, target }, oids, args);
  return { objects: oids.length, bytes };
}

async function oidsOf(client: Client, { after, upTo }: LargeObjectRange): Promise<number[]> {
  const { rows } = await client.query<{ oid: number }>(
    `SELECT oid FROM pg_catalog.pg_largeobject_metadata
      WHERE ($1::oid IS NULL OR oid > $1) AND ($2::oid IS NULL OR oid <= $2) ORDER BY oid`,
    [after, upTo],
  );
  return rows.map((row) => row.oid);
}
