import type { Client } from 'pg';
import { planLargeObjects, type LargeObjectRange } from './large-object-batches';

export interface LargeObjectsChecksum {
  count: number;
  /** Decimal; `0` where there are none. */
  checksum: string;
}

/**
 * Sum of a 64-bit hash over each object's OID, size and contents: the same on every major, in any order, without md5
 * (FIPS), and without a right on `pg_largeobject`.
 */
export async function largeObjectsChecksum(
  client: Client,
  signal?: AbortSignal,
): Promise<LargeObjectsChecksum> {
  let count = 0;
  let sum = 0n;
  for (const range of await planLargeObjects(client)) {
    signal?.throwIfAborted();
    const ofRange = await largeObjectRangeChecksum(client, range);
    count += ofRange.count;
    sum += BigInt(ofRange.checksum);
  }
  return { count, checksum: sum.toString() };
}

/** Of the objects of one range. */
export async function largeObjectRangeChecksum(
  client: Client,
  { after, upTo }: LargeObjectRange,
): Promise<LargeObjectsChecksum> {
  const { rows } = await client.query<{ count: string; checksum: string }>(BATCH_CHECKSUM, [after, upTo]);
  return { count: Number(rows[0]?.count), checksum: rows[0]?.checksum ?? '0' };
}

// 262144 is INV_READ, 2 is SEEK_END, a chunk has 4 MiB. Each descriptor is closed at once: the server looks for a free one
// from the first on
const BATCH_CHECKSUM = `
  SELECT pg_catalog.count(*),
         COALESCE(pg_catalog.sum(pg_catalog.hashtextextended(
           oid || ':' || size || ':' || digest COLLATE "C", 0)), 0)::text AS checksum
    FROM (SELECT o.oid, o.size, COALESCE(
                   (SELECT pg_catalog.string_agg(
                             pg_catalog.encode(pg_catalog.sha256(pg_catalog.lo_get(o.oid, start, 4194304)), 'hex'), ','
                             ORDER BY start)
                      FROM pg_catalog.generate_series(0::int8, o.size - 1, 4194304::int8) AS start), '') AS digest
            FROM (SELECT sought.oid, sought.size, pg_catalog.lo_close(sought.descriptor) AS closed
                    FROM (SELECT opened.oid, opened.descriptor,
                                 pg_catalog.lo_lseek64(opened.descriptor, 0, 2) AS size
                            FROM (SELECT oid, pg_catalog.lo_open(oid, 262144) AS descriptor
                                    FROM pg_catalog.pg_largeobject_metadata
                                   WHERE ($1::oid IS NULL OR oid > $1) AND ($2::oid IS NULL OR oid <= $2)
                                  OFFSET 0) opened
                          OFFSET 0) sought
                  OFFSET 0) o) hashed`;
