import { createHash } from 'node:crypto';

/** What {@link stagingDatabase} makes, as a regular expression of PostgreSQL. */
export const STAGING_PATTERN = '^flexlift_[0-9a-f]{12}_[0-9a-f]{16}$';

/**
 * The name under which a target database is made before it has its ledger and takes its own name. 38 bytes, whatever
 * the database is called; the migration's id in it says whose it is.
 */
export function stagingDatabase(migrationId: string, database: string): string {
  const hash = createHash('sha256').update(database).digest('hex').slice(0, 16);
  return `flexlift_${migrationId}_${hash}`;
}
