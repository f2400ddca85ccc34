import type { Client } from 'pg';
import { FlexliftError, type FenceMode } from '../../contract';
import {
  activityPrefix,
  endPredecessors,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  withConnection,
  type Endpoint,
} from '../connect';
import { onThisDatabase, sqlStateOf } from '../database';
import { inTransaction } from '../ledger';
import { preparedTransactions } from '../replicate/source';
import { readConnectGrants, revokeConnect } from './connect-grants';
import { fenceName, foreignFences, READ_ONLY, readFence, type Fence } from './fence';
import { liftFence, liftFenceStatement, lockFence } from './lift-fence';
import { endEarlierSessions } from './other-sessions';
import { fenceRefused } from './refused';
import { readFencedSettings } from './settings';

export interface RaiseFence {
  source: Endpoint;
  database: string;
  migrationId: string;
  /** To cut over. */
  attempt: number;
  mode: FenceMode;
  /** Tables whose UPDATE and DELETE no marker would find, for they are not published. */
  unseen: { schema: string; name: string }[];
  /** Rejects where the fence is not wanted any more; asked while nobody else can raise or lift it. */
  confirm: () => Promise<unknown>;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}

/** How long a table that is being vacuumed or altered is waited for, milliseconds. */
const LONGEST_WAIT = 10_000;
/** Tables named in a failure. */
const NAMED = 5;

export interface RaisedFence {
  /** ISO 8601, by the source's clock; with mode `none` by ours. */
  raisedAt: string;
  endedSessions: number;
}

/**
 * Keeps writers from the source. After it returns, no transaction of before is left, and whoever writes has asked for a
 * READ WRITE transaction or session explicitly, which nothing can prevent; the second marker finds it, and in tables where
 * it would not, UPDATE and DELETE are refused. `revoke-connect` in addition leaves nobody in but the database's owner and superusers. A fence of ours that stands already is kept with
 * all that it remembers, so that a second call goes on where the first one was cut off.
 *
 * @throws FlexliftError CutoverRefused, with the fence lifted again, where a prepared transaction, a session, role or
 * subscription is in its way; PermissionDenied where we neither own the database nor may create a publication in it
 */
export async function raiseFence(args: RaiseFence): Promise<RaisedFence> {
  const { source, database, migrationId, attempt, mode, signal } = args;
  if (mode === 'none') return { raisedAt: new Date().toISOString(), endedSessions: 0 };
  return await withConnection(source, database, signal, async (client) => {
    // one that stands still would lift our fence where it finds its own refused
    await endPredecessors(client, activityPrefix({ migrationId, activity: 'raiseFence' }));
    try {
      await refusePreparedTransactions(client);
      const { raisedAt } = await inTransaction(client, () => putUp(client, args, mode), 'BEGIN READ WRITE');
      const endedSessions = await endEarlierSessions({ ...args, client });
      await refusePreparedTransactions(client);
      return { raisedAt, endedSessions };
    } catch (error) {
      if (error instanceof FlexliftError && error.code === 'CutoverRefused')
        await liftFence(client, { migrationId, attempt });
      throw error;
    }
  });
}

async function putUp(client: Client, args: RaiseFence, mode: Fence['mode']): Promise<Fence> {
  const { migrationId, attempt, unseen, confirm } = args;
  const name = quoteIdentifier(fenceName(migrationId));
  await lockFence(client, migrationId);
  await confirm();
  await refuseForeignFence(client, migrationId);
  const standing = await readFence(client, migrationId);
  if (standing?.mode === mode) return await keep(client, name, { ...standing, attempt });
  if (standing !== undefined) await client.query(liftFenceStatement(migrationId));
  const fence: Fence = {
    version: 1,
    mode,
    attempt,
    ...(await readFencedSettings(client)),
    connect: mode === 'revoke-connect' ? await readConnectGrants(client) : [],
  };
  await createPublication(client, name, unseen);
  await keep(client, name, fence);
  await onThisDatabase(client, 'ALTER DATABASE ', ` SET ${READ_ONLY} = on`);
  for (const { role } of fence.roles) await fenceRole(client, role);
  for (const subscription of fence.subscriptions) await disableSubscription(client, subscription);
  await revokeConnect(client, fence.connect);
  return fence;
}

async function keep(client: Client, publication: string, fence: Fence): Promise<Fence> {
  await client.query(`COMMENT ON PUBLICATION ${publication} IS ${quoteLiteral(JSON.stringify(fence))}`);
  return fence;
}

/** A table without a replica identity takes no UPDATE and no DELETE while a publication has it publish them. */
async function createPublication(client: Client, name: string, unseen: RaiseFence['unseen']): Promise<void> {
  if (unseen.length === 0) return void (await client.query(`CREATE PUBLICATION ${name}`));
  const names = unseen.map((table) => quoteQualified(table.schema, table.name));
  const tables = names.map((table) => `ONLY ${table}`).join(', ');
  await client.query(`SET LOCAL lock_timeout = ${LONGEST_WAIT}`);
  try {
    await client.query(`CREATE PUBLICATION ${name} FOR TABLE ${tables} WITH (publish = 'update, delete')`);
  } catch (error) {
    if (sqlStateOf(error) !== '55P03') throw error;
    throw fenceRefused(
      client,
      `One of ${names.length} tables without a key is being vacuumed, altered or indexed: ${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? ', …' : ''}.`,
      'Wait for the end of that, or end it, and cut over again.',
    );
  }
  await client.query('SET LOCAL lock_timeout = 0');
}

/** Lifted out of turn, either of two fences would take the other with it. */
async function refuseForeignFence(client: Client, migrationId: string): Promise<void> {
  const [foreign] = await foreignFences(client, migrationId);
  if (foreign === undefined) return;
  throw fenceRefused(
    client,
    `Another migration fenced this database already: ${foreign}.`,
    'Lift that fence first, with flexlift unfence and the name of that migration.',
  );
}

async function fenceRole(client: Client, role: number): Promise<void> {
  const name = `pg_catalog.pg_get_userbyid(${role})`;
  const statement = `pg_catalog.format('ALTER ROLE %I IN DATABASE %I SET ${READ_ONLY} = on', ${name}, pg_catalog.current_database())`;
  const { rows } = await client.query<{ name: string }>(`SELECT ${name} AS name`);
  try {
    await client.query(`DO ${quoteLiteral(`BEGIN EXECUTE ${statement}; END`)}`);
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    throw fenceRefused(
      client,
      `Role ${JSON.stringify(rows[0]?.name)} has a setting of its own that lets it write, and we may not alter that role.`,
      `Run ALTER ROLE … RESET ${READ_ONLY} for it, or cut over with --fence revoke-connect as a user who may alter it.`,
    );
  }
}

async function disableSubscription(client: Client, subscription: string): Promise<void> {
  try {
    await client.query(`ALTER SUBSCRIPTION ${quoteIdentifier(subscription)} DISABLE`);
  } catch (error) {
    if (sqlStateOf(error) !== '42501') throw error;
    throw fenceRefused(
      client,
      `Subscription ${quoteIdentifier(subscription)} writes into the source, and we may not disable it.`,
      'Disable it, or give it to the user of this migration, and cut over again.',
    );
  }
}

/** COMMIT PREPARED is no write to a read-only session. */
async function refusePreparedTransactions(client: Client): Promise<void> {
  const gids = await preparedTransactions(client);
  if (gids.length === 0) return;
  const named = gids.slice(0, 5).map((gid) => JSON.stringify(gid));
  throw fenceRefused(
    client,
    `The source holds ${gids.length} prepared transactions, which could still be committed: ${named.join(', ')}.`,
    'Commit or roll them back (COMMIT PREPARED, ROLLBACK PREPARED), and cut over again.',
  );
}
