import { createHash } from 'node:crypto';

/** What a session of ours says of itself in `pg_stat_activity`. */
export interface SessionOwner {
  migrationId: string;
  /** The activity's type, e.g. `copyPart`. */
  activity: string;
  /** Tells this piece of work from all others of the migration; equal for all its attempts. */
  workKey: string;
  /** Tells this attempt from all others, those of an equal piece of work before and after too; at most 9 characters. */
  attempt: string;
}

/**
 * `flexlift:<migration>:<activity>:<work>:<attempt>`. PostgreSQL cuts names at 63 bytes (NAMEDATALEN), so the work is
 * a hash and the activity's type is cut to 20 characters.
 */
export function applicationName(owner: SessionOwner): string {
  return `${workPrefix(owner)}${owner.attempt}`;
}

/** Common to all attempts of one piece of work. */
export function workPrefix(owner: Omit<SessionOwner, 'attempt'>): string {
  const work = createHash('sha256').update(owner.workKey).digest('hex').slice(0, 10);
  return `${activityPrefix(owner)}${work}:`;
}

/** Common to all that does the same for a migration, whatever the piece of work. */
export function activityPrefix({
  migrationId,
  activity,
}: Pick<SessionOwner, 'migrationId' | 'activity'>): string {
  return `${migrationPrefix(migrationId)}${activity.slice(0, 20)}:`;
}

/** Common to all sessions of one migration. */
export function migrationPrefix(migrationId: string): string {
  return `flexlift:${migrationId}:`;
}
