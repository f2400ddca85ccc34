import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { stagingDatabase } from '../../../postgres/catalog';
import { quoteIdentifier, quoteLiteral, socketOf, type Endpoint } from '../../../postgres/connect';
import type { CreateTargetDatabase } from '../../../postgres/database';
import { readLedger, type LedgerRow } from '../../../postgres/ledger';
import { run, testEndpoint, withSession, type Major } from '../../support/servers';

export function newMigrationId(): string {
  return randomBytes(6).toString('hex');
}

export function createArguments(
  source: Major,
  target: Major,
  database: string,
  change: Partial<CreateTargetDatabase> = {},
): CreateTargetDatabase {
  return {
    source: testEndpoint(source, 'source'),
    target: testEndpoint(target, 'target'),
    database,
    identity: { migrationId: newMigrationId(), generation: 1 },
    overwrite: false,
    compare: true,
    canGoOn: () => Promise.resolve(true),
    signal: new AbortController().signal,
    ...change,
  };
}

/** Creates a database with exactly this name. */
export async function createNamed(major: Major, name: string, options = ''): Promise<void> {
  await withSession(major, 'postgres', (client) =>
    client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ${options}`),
  );
}

/** As a DROP DATABASE that was cut off in its middle leaves it. */
export async function leaveInvalid(major: Major, name: string): Promise<void> {
  await run(
    major,
    'postgres',
    `UPDATE pg_database SET datconnlimit = -2 WHERE datname = ${quoteLiteral(name)}`,
  );
}

export async function exists(major: Major, name: string): Promise<boolean> {
  return await withSession(major, 'postgres', async (client) => {
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
    return rowCount === 1;
  });
}

export async function stagingExists(major: Major, args: CreateTargetDatabase): Promise<boolean> {
  return await exists(major, stagingDatabase(args.identity.migrationId, args.database));
}

export async function ledgerOf(major: Major, name: string): Promise<LedgerRow | undefined> {
  return await withSession(major, name, readLedger);
}

/** Statements after which something durable may have changed. */
const DURABLE = /^(CREATE DATABASE|DROP DATABASE|ALTER DATABASE|BEGIN|COMMIT)/;

/**
 * Cuts the connection that sends the n-th durable statement from now on, before or just after it is sent; in the
 * second case the server goes on with it and nobody hears the answer.
 */
export function cutConnectionAt(
  n: number,
  when: 'before' | 'after',
): { sent: () => number; restore: () => void } {
  let sent = 0;
  const original = Reflect.get(Client.prototype, 'query') as (...args: unknown[]) => unknown;
  const spy = jest.spyOn(Client.prototype, 'query').mockImplementation(function (
    this: Client,
    ...args: unknown[]
  ) {
    if (typeof args[0] === 'string' && DURABLE.test(args[0])) sent += 1;
    const cut = sent === n;
    if (cut && when === 'before') socketOf(this).destroy();
    const answer = original.apply(this, args);
    if (cut && when === 'after') setImmediate(() => socketOf(this).destroy());
    return answer as never;
  });
  return { sent: () => sent, restore: () => spy.mockRestore() };
}

/** The same endpoint for another user. */
export function asUser(endpoint: Endpoint, user: string): Endpoint {
  return { ...endpoint, address: { ...endpoint.address, user } };
}

/** Drops roles that own nothing any more. */
export async function dropRoles(major: Major, ...roles: string[]): Promise<void> {
  await run(major, 'postgres', ...roles.map((role) => `DROP ROLE IF EXISTS ${quoteIdentifier(role)}`));
}
