import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../contract';
import { serverVersion } from '../catalog';
import { quoteIdentifier, withConnection, type Endpoint } from '../connect';

/**
 * Runs `work` on the target's maintenance database while no other attempt, of whatever migration, makes or drops the
 * same target database. The lock belongs to the session that also issues the commands: an attempt that lost
 * its session has lost its say.
 */
export async function withDatabaseLock<T>(
  target: Endpoint,
  database: string,
  signal: AbortSignal,
  work: (maintenance: Client) => Promise<T>,
): Promise<T> {
  return await withConnection(target, target.address.maintenanceDatabase, signal, async (maintenance) => {
    await maintenance.query(
      `SELECT pg_catalog.pg_advisory_lock(
                pg_catalog.hashtext('flexlift target database'), pg_catalog.hashtext($1))`,
      [database],
    );
    return await work(maintenance);
  });
}

export interface ExistingDatabase {
  name: string;
  encoding: string;
  /** An interrupted DROP left it behind: nothing can connect to it any more. */
  invalid: boolean;
  /** The session's user may drop it. */
  owned: boolean;
}

export async function findDatabase(client: Client, name: string): Promise<ExistingDatabase | undefined> {
  const { rows } = await client.query<ExistingDatabase>(
    `SELECT datname AS name, pg_catalog.pg_encoding_to_char(encoding) AS encoding,
            datconnlimit = -2 AS invalid, pg_catalog.pg_has_role(datdba, 'USAGE') AS owned
       FROM pg_catalog.pg_database WHERE datname = $1`,
    [name],
  );
  return rows[0];
}

const DROP_ATTEMPTS = 5;

/** Drops a database with the sessions in it; harmless where it is gone already. */
export async function dropDatabase(maintenance: Client, name: string): Promise<void> {
  const { major } = await serverVersion(maintenance);
  const drop = `DROP DATABASE IF EXISTS ${quoteIdentifier(name)}`;
  for (let attempt = 1; ; attempt++) {
    await endSessionsIn(maintenance, name);
    try {
      await maintenance.query(major >= 13 ? `${drop} WITH (FORCE)` : drop);
      return;
    } catch (error) {
      // FORCE is refused to a plain user while an autovacuum worker is in the database; DROP alone ends that one
      if (sqlStateOf(error) === '42501' && major >= 13 && (await droppedWithoutForce(maintenance, drop)))
        return;
      // somebody connected between the two statements
      if (sqlStateOf(error) !== '55006' || attempt === DROP_ATTEMPTS) throw error;
    }
  }
}

async function droppedWithoutForce(maintenance: Client, drop: string): Promise<boolean> {
  try {
    await maintenance.query(drop);
    return true;
  } catch (error) {
    if (sqlStateOf(error) === '55006') return false;
    throw error;
  }
}

async function endSessionsIn(maintenance: Client, name: string): Promise<void> {
  const { rows } = await maintenance.query<{ pid: number }>(
    `SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND usesysid IS NOT NULL`,
    [name],
  );
  for (const { pid } of rows) {
    await maintenance.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]).catch((error: unknown) => {
      // a superuser's session can only be waited for; DROP says so if it stays
      if (sqlStateOf(error) !== '42501') throw error;
    });
  }
}

export function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof FlexliftError) return error.fields.sqlState;
  return error instanceof DatabaseError ? error.code : undefined;
}
