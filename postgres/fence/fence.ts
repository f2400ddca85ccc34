import type { Client } from 'pg';
import { FlexliftError, sourceObjectPrefix, type FenceMode } from '../../contract';

/** The setting that makes transactions read-only unless they ask for more. */
export const READ_ONLY = 'default_transaction_read_only';

/**
 * What a fence changed and what it was before: all that is needed to lift it. It is kept on the source itself, as JSON
 * in the comment of a publication, so that it comes and goes in the transaction that changes the settings and
 * can be found with nothing else left. Roles are oids: their names may have characters that this database's encoding
 * lacks.
 */
export interface Fence {
  version: 1;
  mode: Exclude<FenceMode, 'none'>;
  /** The attempt to cut over that it stands for; absent in fences of earlier versions. */
  attempt?: number;
  /** ISO 8601, by the source's clock. */
  raisedAt: string;
  /** What the database was set to; null: nothing. */
  database: string | null;
  /** Roles whose own setting would win over the database's, and what each was set to in this database. */
  roles: { role: number; value: string | null }[];
  /** Subscriptions of this database that were enabled. */
  subscriptions: string[];
  /** Who might connect, without the owner; whoever granted stands before those that depend on it. Grantee 0: PUBLIC. */
  connect: { grantee: number; grantor: number; grantable: boolean }[];
}

/** The publication that a fence is kept in. */
export function fenceName(migrationId: string): string {
  return `${sourceObjectPrefix(migrationId)}_fence`;
}

/** Names of the fences of all migrations; a regular expression of SQL. */
export const FENCE_PATTERN = '^flexlift_[0-9a-f]{12}_fence$';

/**
 * The fence of one migration in the connected database, or, without an id, of any.
 *
 * @throws FlexliftError CleanUpNeeded where somebody has changed what it keeps
 */
export async function readFence(client: Client, migrationId?: string): Promise<Fence | undefined> {
  const { rows } = await client.query<{ name: string; kept: string | null }>(
    `SELECT pubname AS name, pg_catalog.obj_description(oid, 'pg_publication') AS kept
       FROM pg_catalog.pg_publication WHERE pubname ~ $1 ORDER BY pubname`,
    [migrationId === undefined ? FENCE_PATTERN : `^${fenceName(migrationId)}$`],
  );
  const [row] = rows;
  return row === undefined ? undefined : parseFence(row.name, row.kept);
}

/** The publications of fences that stand in the connected database, but for this migration's own. */
export async function foreignFences(client: Client, migrationId: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT pubname AS name FROM pg_catalog.pg_publication WHERE pubname ~ $1 AND pubname <> $2 ORDER BY pubname',
    [FENCE_PATTERN, fenceName(migrationId)],
  );
  return rows.map(({ name }) => name);
}

function parseFence(name: string, kept: string | null): Fence {
  try {
    const fence = JSON.parse(kept ?? '') as Fence;
    if (fence.version === 1) return fence;
  } catch {
    // not what a fence keeps
  }
  throw new FlexliftError({
    code: 'CleanUpNeeded',
    sentence: `The comment of publication ${name}, which says what the fence has to restore, was changed.`,
    remedy: `Run ALTER DATABASE … RESET ${READ_ONLY} on the source, the same for roles and subscriptions that were fenced, and DROP PUBLICATION ${name}.`,
    side: 'source',
  });
}
