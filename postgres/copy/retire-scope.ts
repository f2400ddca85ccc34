import { DatabaseError, type Client } from 'pg';
import { endPredecessors, quoteQualified } from '../connect';
import { withLedger, type LedgerIdentity } from '../ledger';
import { OF_SCOPE, scopeParameters, type ScopeOf } from './scope';

/** Milliseconds. */
const SCOPE_LOCK_TIMEOUT = '1000';

export interface ScopeWriters {
  /** What the application names of sessions that copy begin with. */
  prefix: string;
  /** Only those that write to this table; absent: all of them. */
  table?: { schema: string; name: string };
}

/**
 * Declares the scope of a dead keeper dead, so that nothing more is committed under it: ends the sessions that still
 * copy, since each of them holds the scope's row until it commits. A table that is wholly copied needs no keeper: its
 * scope is complete.
 *
 * @returns the state of the newest scope: `complete` where no snapshot is needed any more
 */
export async function retireScope(
  target: Client,
  identity: LedgerIdentity,
  writers: ScopeWriters,
  of: ScopeOf = {},
): Promise<string | undefined> {
  for (;;) {
    await endWriters(target, writers);
    try {
      return await withLedger(target, identity, async () => {
        await target.query(`SELECT pg_catalog.set_config('lock_timeout', $1, true)`, [SCOPE_LOCK_TIMEOUT]);
        const { rows } = await target.query<{ scope: number; state: string }>(
          `SELECT scope, state FROM flexlift.scope WHERE ${OF_SCOPE} ORDER BY scope DESC LIMIT 1 FOR UPDATE`,
          scopeParameters(of),
        );
        const [newest] = rows;
        return newest?.state === 'open' ? await close(target, newest.scope) : newest?.state;
      });
    } catch (error) {
      if (!(error instanceof DatabaseError) || error.code !== '55P03') throw error;
    }
  }
}

async function close(target: Client, scope: number): Promise<string | undefined> {
  const { rows } = await target.query<{ state: string }>(
    `UPDATE flexlift.scope s
        SET closed_at = pg_catalog.now(),
            state = CASE WHEN s.table_oid IS NOT NULL
                          AND NOT EXISTS (SELECT FROM flexlift.part p WHERE p.table_oid = s.table_oid
                                             AND (p.copied_at IS NULL OR p.scope IS DISTINCT FROM s.scope))
                         THEN 'complete' ELSE 'dead' END
      WHERE scope = $1
     RETURNING state`,
    [scope],
  );
  return rows[0]?.state;
}

async function endWriters(target: Client, { prefix, table }: ScopeWriters): Promise<void> {
  if (table === undefined) {
    await endPredecessors(target, prefix);
    return;
  }
  await target.query(
    `SELECT pg_catalog.pg_terminate_backend(pid)
       FROM pg_catalog.pg_stat_activity
      WHERE pg_catalog.starts_with(application_name, $1)
        AND datname = pg_catalog.current_database()
        AND pid <> pg_catalog.pg_backend_pid()
        AND pid IN (SELECT l.pid FROM pg_catalog.pg_locks l
                     WHERE l.locktype = 'relation' AND l.relation = pg_catalog.to_regclass($2)
                       AND l.database = (SELECT oid FROM pg_catalog.pg_database
                                          WHERE datname = pg_catalog.current_database()))`,
    [prefix, quoteQualified(table.schema, table.name)],
  );
}
