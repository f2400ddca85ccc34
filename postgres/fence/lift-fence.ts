import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { migrationPrefix, quoteLiteral } from '../connect';
import { inTransaction } from '../ledger';
import { FENCE_PATTERN, fenceName, READ_ONLY, readFence } from './fence';

/** Milliseconds. */
const RETRY_INTERVAL = 50;

export interface LiftedFences {
  /** Absent: whatever migration's. */
  migrationId?: string;
  /** Not what stands for a later attempt to cut over: this call may be late. Absent: whichever. */
  attempt?: number;
}

/**
 * Restores all that a fence changed and takes it away, in one transaction. Repeating it is harmless.
 *
 * @param client a session in the source's database, not in a transaction
 * @returns false where none stands that is meant
 * @throws FlexliftError CleanUpNeeded where somebody has changed what the fence keeps
 */
export async function liftFence(
  client: Client,
  { migrationId, attempt = Infinity }: LiftedFences = {},
): Promise<boolean> {
  return await inTransaction(
    client,
    async () => {
      await lockFence(client, migrationId);
      const fence = await readFence(client, migrationId);
      if (fence === undefined || (fence.attempt ?? 0) > attempt) return false;
      await client.query(liftFenceStatement(migrationId));
      return true;
    },
    'BEGIN READ WRITE',
  );
}

/**
 * Until the transaction ends, nobody else raises or lifts a fence in this database. An attempt of the same migration that
 * was given up and still holds it (its worker may be frozen) is ended: writers wait.
 */
export async function lockFence(client: Client, migrationId?: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>(
      `SELECT pg_catalog.pg_try_advisory_xact_lock(${FENCE_LOCK}) AS taken`,
    );
    if (rows[0]?.taken === true) return;
    if (migrationId !== undefined) await client.query(END_HOLDER, [migrationPrefix(migrationId)]);
    await pause(RETRY_INTERVAL);
  }
}

const FENCE_LOCK = `pg_catalog.hashtext('flexlift fence')`;

const END_HOLDER = `
  SELECT pg_catalog.pg_terminate_backend(l.pid)
    FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
   WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
     AND (l.classid::pg_catalog.int8 << 32) | l.objid::pg_catalog.int8 = ${FENCE_LOCK}
     AND pg_catalog.starts_with(a.application_name, $1)`;

/**
 * One statement that lifts the fence, for a transaction that is READ WRITE; a person may run it as well. All names are
 * put together on the server, where they need no common encoding. A role or subscription that is gone needs nothing.
 */
export function liftFenceStatement(migrationId?: string): string {
  const pattern = migrationId === undefined ? FENCE_PATTERN : `^${fenceName(migrationId)}$`;
  return `DO ${quoteLiteral(liftFenceBody(pattern))}`;
}

function liftFenceBody(pattern: string): string {
  return `
DECLARE
  fence record;
  item record;
BEGIN
  FOR fence IN
    SELECT p.pubname, d.datname, d.oid AS database, d.datdba AS owner,
           pg_catalog.obj_description(p.oid, 'pg_publication')::pg_catalog.jsonb AS kept
      FROM pg_catalog.pg_publication p, pg_catalog.pg_database d
     WHERE p.pubname ~ '${pattern}' AND d.datname = pg_catalog.current_database()
  LOOP
    EXECUTE pg_catalog.format('ALTER DATABASE %I ', fence.datname) ||
            COALESCE('SET ${READ_ONLY} = ' || pg_catalog.quote_literal(fence.kept ->> 'database'), 'RESET ${READ_ONLY}');
    FOR item IN
      SELECT r.rolname, e.value
        FROM pg_catalog.jsonb_to_recordset(fence.kept -> 'roles') AS e(role pg_catalog.oid, value pg_catalog.text)
        JOIN pg_catalog.pg_roles r ON r.oid = e.role
    LOOP
      EXECUTE pg_catalog.format('ALTER ROLE %I IN DATABASE %I ', item.rolname, fence.datname) ||
              COALESCE('SET ${READ_ONLY} = ' || pg_catalog.quote_literal(item.value), 'RESET ${READ_ONLY}');
    END LOOP;
    FOR item IN
      SELECT s.subname
        FROM pg_catalog.jsonb_array_elements_text(fence.kept -> 'subscriptions') AS e(name)
        JOIN pg_catalog.pg_subscription s ON s.subname = e.name AND s.subdbid = fence.database
    LOOP
      EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I ENABLE', item.subname);
    END LOOP;
    FOR item IN
      SELECT pg_catalog.format('GRANT CONNECT ON DATABASE %I TO ', fence.datname) ||
             COALESCE(pg_catalog.quote_ident(grantee.rolname), 'PUBLIC') ||
             CASE WHEN e.entry ->> 'grantable' = 'true' THEN ' WITH GRANT OPTION' ELSE '' END AS statement,
             grantor.rolname AS grantor, grantor.oid = fence.owner AS by_owner
        FROM pg_catalog.jsonb_array_elements(fence.kept -> 'connect') WITH ORDINALITY AS e(entry, number)
        JOIN pg_catalog.pg_roles grantor ON grantor.oid = (e.entry ->> 'grantor')::pg_catalog.oid
        LEFT JOIN pg_catalog.pg_roles grantee ON grantee.oid = (e.entry ->> 'grantee')::pg_catalog.oid
       WHERE grantee.oid IS NOT NULL OR e.entry ->> 'grantee' = '0'
       ORDER BY e.number
    LOOP
      IF NOT item.by_owner THEN EXECUTE pg_catalog.format('SET LOCAL ROLE %I', item.grantor); END IF;
      EXECUTE item.statement;
      IF NOT item.by_owner THEN SET LOCAL ROLE NONE; END IF;
    END LOOP;
    EXECUTE pg_catalog.format('DROP PUBLICATION %I', fence.pubname);
  END LOOP;
END`;
}
