import type { Client } from 'pg';
import { FlexliftError, LEDGER_SCHEMA } from '../../contract';
import { databaseProperties, serverVersion, someUserObject, stagingDatabase } from '../catalog';
import {
  endPredecessors,
  migrationPrefix,
  quoteIdentifier,
  serverName,
  withConnection,
  type Endpoint,
} from '../connect';
import { createLedger, isLoadBuilt, readLedger, type LedgerIdentity, type LedgerRow } from '../ledger';
import { closeDatabase, isClosed } from './closed-database';
import { createDatabaseSql } from './create-statement';
import { dropDatabase, findDatabase, sqlStateOf, withDatabaseLock } from './maintenance';

export interface CreateTargetDatabase {
  source: Endpoint;
  target: Endpoint;
  database: string;
  identity: LedgerIdentity;
  /** Replace a database that is not empty. */
  overwrite: boolean;
  /** Rows will be compared, by the bytes of their texts. */
  compare: boolean;
  /**
   * Asked of what an earlier run of this migration has made and left closed, so that nobody else has put anything there:
   * whether this one can go on with it. Else it is made anew.
   */
  canGoOn: (target: Client) => Promise<boolean>;
  signal: AbortSignal;
}

/**
 * Sees to it that the target database stands, with our ledger in it. CREATE DATABASE fits into no transaction, so the
 * order makes it safe: the database is made under a staging name that carries the migration's id, gets its
 * ledger there, and takes its own name last. Whatever dies in between, the next attempt finds either nothing of use (no
 * ledger: made anew) or a whole database (renamed). What is to be overwritten goes only when its successor stands.
 *
 * @returns `created`: false where an empty database that stood there already is used.
 * @throws FlexliftError LedgerReleased where this migration was released, even if told to overwrite; TargetNotEmpty;
 *   LedgerForeign where a later run of this migration or another migration works there
 */
export async function createTargetDatabase(args: CreateTargetDatabase): Promise<{ created: boolean }> {
  const { target, database, identity, signal } = args;
  return await withDatabaseLock(target, database, signal, async (maintenance) => {
    const replaced = await useExisting(maintenance, args);
    const staging = stagingDatabase(identity.migrationId, database);
    if (replaced !== 'replace') {
      await dropDatabase(maintenance, staging);
      return replaced;
    }
    await buildStaging(maintenance, args, staging);
    await replaceByStaging(maintenance, args, staging);
    return { created: true };
  });
}

/** What becomes of the database that has the name: it is used, or (also where there is none) replaced. */
async function useExisting(
  maintenance: Client,
  args: CreateTargetDatabase,
): Promise<{ created: boolean } | 'replace'> {
  const { target, database, identity, signal } = args;
  const existing = await findDatabase(maintenance, database);
  if (existing === undefined) return 'replace';
  if (existing.invalid) return replaceOrRefuse(args, 'an interrupted DROP DATABASE left it unusable');
  return await withConnection(target, database, signal, async (client) => {
    const ledger = await readLedger(client);
    if (ledger?.migration_id === identity.migrationId) {
      refuseReleased(args, ledger);
      if (args.overwrite && ledger.generation < identity.generation && (await isLoadBuilt(client))) {
        return replaceOrRefuse(args, 'an earlier run of this migration loaded it');
      }
      if (await isOfNoUse(client, args, ledger)) return 'replace';
      // a worker that stands still keeps its sessions, and with them the ledger, though nobody waits for it any more (in the
      // maintenance database others that are being created are ended as well, and tried again)
      if (ledger.generation < identity.generation)
        await endPredecessors(client, migrationPrefix(identity.migrationId));
      await createLedger(client, identity, { databaseCreated: ledger.database_created });
      // a run before, that was cancelled, has opened it
      if (ledger.database_created) await closeDatabase(client);
      return { created: ledger.database_created };
    }
    const object = await someUserObject(client);
    if (object !== undefined) return replaceOrRefuse(args, `it holds, among others, ${object}`);
    if (ledger?.state === 'open') {
      if (!args.overwrite) throw otherMigration(args, ledger);
      return replaceOrRefuse(args, `migration ${ledger.migration_id} works in it`);
    }
    return await useEmpty(client, args, ledger);
  });
}

async function isOfNoUse(client: Client, args: CreateTargetDatabase, ledger: LedgerRow): Promise<boolean> {
  if (ledger.generation >= args.identity.generation) return false;
  if (!ledger.database_created || !(await isClosed(client))) return false;
  return !(await args.canGoOn(client));
}

/**
 * An empty database is used as it is, if it has the source's encoding; or, where rows are not compared, one that holds all
 * that the source holds: bytes of SQL_ASCII only as they are.
 */
async function useEmpty(
  client: Client,
  args: CreateTargetDatabase,
  ledger: LedgerRow | undefined,
): Promise<{ created: boolean } | 'replace'> {
  const { source, database, identity, compare, signal } = args;
  const wanted = await withConnection(source, database, signal, databaseProperties);
  const { encoding } = await databaseProperties(client);
  const isConverted = !compare && encoding === 'UTF8' && wanted.encoding !== 'SQL_ASCII';
  if (encoding !== wanted.encoding && !isConverted) {
    return replaceOrRefuse(args, `its encoding is ${encoding} where the source's is ${wanted.encoding}`);
  }
  // another migration was released here, of a database without contents
  if (ledger !== undefined) await client.query(`DROP SCHEMA ${LEDGER_SCHEMA} CASCADE`);
  await createLedger(client, identity, { databaseCreated: false });
  return { created: false };
}

/** Ends with a staging database that holds our ledger. */
async function buildStaging(maintenance: Client, args: CreateTargetDatabase, staging: string): Promise<void> {
  const { source, target, database, identity, signal } = args;
  const initialise = async (client: Client) => {
    await createLedger(client, identity, { databaseCreated: true });
    await closeDatabase(client);
  };
  const existing = await findDatabase(maintenance, staging);
  if (existing !== undefined && !existing.invalid) {
    const finished = await withConnection(target, staging, signal, async (client) => {
      if ((await readLedger(client)) === undefined) return false;
      await initialise(client);
      return true;
    });
    if (finished) return;
  }
  const properties = await withConnection(source, database, signal, databaseProperties);
  const { major } = await serverVersion(maintenance);
  await dropDatabase(maintenance, staging);
  await maintenance.query(createDatabaseSql(staging, properties, major));
  await withConnection(target, staging, signal, initialise);
}

async function replaceByStaging(
  maintenance: Client,
  args: CreateTargetDatabase,
  staging: string,
): Promise<void> {
  const { target, database, signal } = args;
  const old = await findDatabase(maintenance, database);
  if (old !== undefined) {
    if (!old.invalid) {
      await withConnection(target, database, signal, async (client) => {
        const ledger = await readLedger(client);
        if (ledger !== undefined) refuseReleased(args, ledger);
      });
    }
    await dropDatabase(maintenance, database);
  }
  try {
    await maintenance.query(
      `ALTER DATABASE ${quoteIdentifier(staging)} RENAME TO ${quoteIdentifier(database)}`,
    );
  } catch (error) {
    if (sqlStateOf(error) === '42P04') throw notEmpty(args, 'somebody created it just now');
    throw error;
  }
}

function replaceOrRefuse(args: CreateTargetDatabase, reason: string): 'replace' {
  if (args.database === args.target.address.maintenanceDatabase) throw maintenanceNotEmpty(args, reason);
  if (!args.overwrite) throw notEmpty(args, reason);
  return 'replace';
}

/** A late attempt or a reset workflow must never touch what is live. */
function refuseReleased(args: CreateTargetDatabase, ledger: LedgerRow): void {
  if (ledger.migration_id !== args.identity.migrationId || ledger.state !== 'released') return;
  throw new FlexliftError({
    code: 'LedgerReleased',
    sentence: 'The target database was released to its users; this migration does not touch it any more.',
    remedy: 'Start a new migration, with --overwrite if the target is to be replaced.',
    ...placeOf(args),
  });
}

function otherMigration(args: CreateTargetDatabase, ledger: LedgerRow): FlexliftError {
  return new FlexliftError({
    code: 'LedgerForeign',
    sentence: `The target database belongs to migration ${ledger.migration_id}, which is not finished.`,
    remedy: 'Cancel that migration first, or start this one with --overwrite.',
    ...placeOf(args),
  });
}

function notEmpty(args: CreateTargetDatabase, reason: string): FlexliftError {
  return new FlexliftError({
    code: 'TargetNotEmpty',
    sentence: `The target database cannot be used as it is: ${reason}.`,
    remedy: 'Drop it, or start the migration with --overwrite to replace it.',
    ...placeOf(args),
  });
}

function maintenanceNotEmpty(args: CreateTargetDatabase, reason: string): FlexliftError {
  return new FlexliftError({
    code: 'TargetNotEmpty',
    sentence: `The target's maintenance database can be migrated to only while it is empty: ${reason}.`,
    remedy: 'Name another maintenance database of the target, or empty this one; it cannot be dropped.',
    ...placeOf(args),
  });
}

function placeOf({ target, database }: CreateTargetDatabase) {
  return { side: 'target', server: serverName(target.address), database } as const;
}
