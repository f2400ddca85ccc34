import type { Client } from 'pg';
import type { Difference } from '../contract';
import { LARGE_OBJECTS, largeObjectsChecksum } from '../postgres/copy';

/** Counts and contents on both sides at this moment. */
export async function compareLargeObjects(
  source: Client,
  target: Client,
  signal: AbortSignal,
): Promise<Difference[]> {
  const [there, here] = await Promise.all([
    largeObjectsChecksum(source, signal),
    largeObjectsChecksum(target, signal),
  ]);
  if (there.count === here.count && there.checksum === here.checksum) return [];
  const message =
    there.count === here.count
      ? `Both sides have ${there.count} large objects, but their content differs.`
      : `The source has ${there.count} large objects, the target ${here.count}.`;
  return [{ kind: 'large-object', object: LARGE_OBJECTS, message }];
}
