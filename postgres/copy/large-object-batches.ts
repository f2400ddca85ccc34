import type { Client } from 'pg';

/** Large objects with `after` < oid <= `upTo`; absent is open-ended. */
export interface LargeObjectRange {
  after?: number;
  upTo?: number;
}

const OBJECTS_PER_BATCH = 1_000;

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
