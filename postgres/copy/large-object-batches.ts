import type { Client } from 'pg';

/** Large objects with `after` < oid <= `upTo`; absent is open-ended. */
export interface LargeObjectRange {
  after?: number;
  upTo?: number;
}

/**
 * Whoever gives an object its owner or its comment, or deletes it, locks it until the batch is committed: 16 copies at a time
 * so have room beside each other where the target is set up for 6,400 locks, which is PostgreSQL's default.
 */
const OBJECTS_PER_BATCH = 250;

/**
 * Ranges of OIDs with about as many objects each. Never none: together they cover every OID, so that objects made
 * between two snapshots have their batch too.
 *
 * @param source in a transaction that stands in the scope's snapshot
 */
export async function planLargeObjects(
  source: Client,
  objectsPerBatch = OBJECTS_PER_BATCH,
): Promise<LargeObjectRange[]> {
  const { rows } = await source.query<{ oid: number }>(
    `SELECT oid
       FROM (SELECT oid, pg_catalog.row_number() OVER (ORDER BY oid) AS number
               FROM pg_catalog.pg_largeobject_metadata) numbered
      WHERE number % $1 = 0
      ORDER BY oid`,
    [objectsPerBatch],
  );
  return rangesBetween(rows.map((row) => row.oid));
}

/** Cut where either of both cuts them. */
export function commonRanges(left: LargeObjectRange[], right: LargeObjectRange[]): LargeObjectRange[] {
  const bounds = [...left, ...right].flatMap(({ upTo }) => (upTo === undefined ? [] : [upTo]));
  return rangesBetween([...new Set(bounds)].sort((a, b) => a - b));
}

function rangesBetween(bounds: number[]): LargeObjectRange[] {
  return [...bounds, undefined].map((upTo, index) => ({ after: bounds[index - 1], upTo }));
}

/** As the load planned them. */
export async function plannedLargeObjects(target: Client): Promise<LargeObjectRange[]> {
  const { rows } = await target.query<{ after_oid: number | null; upto_oid: number | null }>(
    'SELECT after_oid, upto_oid FROM flexlift.large_object_batch ORDER BY batch',
  );
  return rows.map((row) => ({ after: row.after_oid ?? undefined, upTo: row.upto_oid ?? undefined }));
}
