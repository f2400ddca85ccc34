import { migrationPrefix } from '../../postgres/connect';

/** All activities that write rows under a snapshot have types that begin so: copyPart, copyGroup, copyLargeObjects. */
const WRITERS = 'copy';

/** What the application names of all sessions that copy rows begin with. */
export function writersPrefix(migrationId: string): string {
  return `${migrationPrefix(migrationId)}${WRITERS}`;
}
