import type { Client } from 'pg';
import { activityPrefix, endPredecessors } from '../../postgres/connect';

/** Activities that read tables for as long as that takes, in a transaction, and write nothing. */
const READERS = ['proveTables', 'finalCompare', 'compareTables'];

/**
 * Ends what a worker that is cut off or frozen left behind: whoever locks a table, or drops the ledger's, would wait for
 * it, and with him the application. For steps beside which none of these is under way.
 */
export async function endReaders(target: Client, migrationId: string): Promise<void> {
  await endPredecessors(target, ...READERS.map((activity) => activityPrefix({ migrationId, activity })));
}
