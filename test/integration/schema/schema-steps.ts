import type { Client } from 'pg';
import { withConnection, type Endpoint } from '../../../postgres/connect';
import { createLedger, withLedger, type LedgerIdentity } from '../../../postgres/ledger';
import {
  dumpSchema,
  findPgDump,
  lateEntries,
  readArchive,
  replaceLateEntries,
  runPreData,
  storeArchive,
  type EntryOptions,
  type SchemaArchive,
} from '../../../postgres/schema';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

export interface Move {
  source: { major: Major; database: string };
  target: { major: Major; database: string };
  identity: LedgerIdentity;
  /** Who works on the target. Default: a superuser. */
  targetUser?: string;
}

export const NEVER = new AbortController().signal;

export async function withTarget<T>(
  move: Move,
  work: (client: Client) => Promise<T>,
  signal = NEVER,
): Promise<T> {
  const endpoint = testEndpoint(move.target.major, 'target');
  const address = { ...endpoint.address, user: move.targetUser ?? endpoint.address.user };
  return await withConnection({ ...endpoint, address }, move.target.database, signal, work);
}

/** Runs `work` while a snapshot of the source is held. */
export async function withSnapshot<T>(
  endpoint: Endpoint,
  database: string,
  work: (snapshot: string, client: Client) => Promise<T>,
): Promise<T> {
  return await withConnection(endpoint, database, NEVER, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const { rows } = await client.query<{ snapshot: string }>(
      'SELECT pg_catalog.pg_export_snapshot() AS snapshot',
    );
    return await work(rows[0]?.snapshot ?? '', client);
  });
}

const EVERYTHING: EntryOptions = { noOwner: false, noPrivileges: false };

export async function dumpAndStore(move: Move, options = EVERYTHING): Promise<void> {
  await withDump(move, async (source, archive) => {
    await withTarget(move, async (target) => {
      await createLedger(target, move.identity, { databaseCreated: true });
      await storeArchive({ source, target, identity: move.identity, archive, options });
    });
  });
}

/** As when a drift is accepted. */
export async function dumpLateAnew(move: Move): Promise<void> {
  await withDump(move, async (source, archive) => {
    await withTarget(move, async (target) => {
      const late = await lateEntries({ source, target, archive, options: EVERYTHING });
      await withLedger(target, move.identity, () => replaceLateEntries(target, late));
    });
  });
}

async function withDump(
  move: Move,
  work: (source: Client, archive: SchemaArchive) => Promise<void>,
): Promise<void> {
  const endpoint = testEndpoint(move.source.major, 'source');
  const { database } = move.source;
  const pgDump = await findPgDump({ sourceMajor: move.source.major, targetMajor: move.target.major });
  await withSnapshot(endpoint, database, async (snapshot, source) => {
    const file = await dumpSchema({
      ...{ endpoint, database, pgDump, snapshot },
      lockTimeoutMs: 5_000,
      signal: NEVER,
    });
    await work(source, readArchive(file));
  });
}

/** A source of these statements, and a target that has all of them that stands before data. */
export async function withPreData(
  [sourceMajor, targetMajor]: [Major, Major],
  statements: string[],
  work: (move: Move, client: Client) => Promise<void>,
): Promise<void> {
  const source = { major: sourceMajor, database: await createTestDatabase(sourceMajor, 'flx_schema') };
  const target = { major: targetMajor, database: await createTestDatabase(targetMajor, 'flx_schema') };
  const identity = { migrationId: 'fed123fed123', generation: 1 };
  try {
    await withSession(sourceMajor, source.database, async (client) => {
      for (const statement of statements) await client.query(statement);
    });
    const move = { source, target, identity };
    await dumpAndStore(move);
    await withTarget(move, async (client) => {
      await runPreData({ client, identity, signal: NEVER });
      await work(move, client);
    });
  } finally {
    await dropTestDatabase(sourceMajor, source.database);
    await dropTestDatabase(targetMajor, target.database);
  }
}
