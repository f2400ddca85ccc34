import type { Client } from 'pg';

/** Milliseconds. */
const LOCK_TIMEOUT = 5_000;

const LOCK = `pg_catalog.hashtext('flexlift prover')`;

/**
 * Makes this session the database's one prover, until its end.
 *
 * @throws FlexliftError Contention (SQLSTATE 55P03) where another one is at work and does not end within 5 s
 */
export async function becomeProver(client: Client): Promise<void> {
  await client.query(`SET lock_timeout = ${LOCK_TIMEOUT}`);
  await client.query(`SELECT pg_catalog.pg_advisory_lock(${LOCK})`);
  await client.query('SET lock_timeout = 0');
}

/** False once the prover's session has ended; outside of a transaction, which would keep a prover from coming. */
export async function isProverAlive(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ free: boolean }>(
    `SELECT pg_catalog.pg_try_advisory_xact_lock_shared(${LOCK}) AS free`,
  );
  return rows[0]?.free !== true;
}
