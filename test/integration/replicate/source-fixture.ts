import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import {
  quoteIdentifier,
  socketOf,
  withConnection,
  type Endpoint,
  type Side,
} from '../../../postgres/connect';
import { createLedger, type LedgerIdentity } from '../../../postgres/ledger';
import {
  newSlot,
  prepareSource,
  publicationNames,
  slotName,
  sourceObjects,
  takeAwaySourceObjects,
  type PrepareSource,
  type SourcePreparation,
} from '../../../postgres/replicate/source';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

export const PAIRS: [Major, Major][] = [
  [11, 14],
  [14, 17],
  [18, 17],
];

/** A source with tables of all kinds and a target with a ledger, under a migration's id of its own. */
export class PreparedPair {
  readonly identity: LedgerIdentity = { migrationId: randomBytes(6).toString('hex'), generation: 1 };
  readonly said: string[] = [];

  private constructor(
    readonly majors: Record<Side, Major>,
    readonly database: string,
  ) {}

  static async create(source: Major, target: Major, ...statements: string[]): Promise<PreparedPair> {
    const database = await createTestDatabase(source, 'p4 "source" 🐘');
    await withSession(target, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${quoteIdentifier(database)} TEMPLATE template0`),
    );
    const pair = new PreparedPair({ source, target }, database);
    for (const statement of statements) await pair.sql(statement);
    await withConnection(pair.endpoint('target'), database, new AbortController().signal, (client) =>
      createLedger(client, pair.identity, { databaseCreated: true }),
    );
    return pair;
  }

  get slot(): string {
    return slotName(this.identity.migrationId, this.database);
  }

  get publications(): ReturnType<typeof publicationNames> {
    return publicationNames(this.identity.migrationId);
  }

  endpoint(side: Side, attempt = 1): Endpoint {
    const application = `flexlift:${this.identity.migrationId}:prepareSource:test:${attempt}`;
    return testEndpoint(this.majors[side], side, application);
  }

  arguments(change: Partial<PrepareSource> = {}): PrepareSource {
    return {
      source: this.endpoint('source'),
      target: this.endpoint('target'),
      database: this.database,
      identity: this.identity,
      migrationId: this.identity.migrationId,
      keylessTables: 'append',
      lockTimeout: 200,
      signal: new AbortController().signal,
      onProgress: (what) => this.said.push(what),
      ...change,
    };
  }

  async prepare(change: Partial<PrepareSource> = {}): Promise<SourcePreparation> {
    return await prepareSource(this.arguments(change));
  }

  /** As for a recopy of all tables. */
  async renew(): Promise<SourcePreparation> {
    await withConnection(this.endpoint('target'), this.database, new AbortController().signal, (client) =>
      client.query(`UPDATE flexlift.stream SET lsn = '0/0'`),
    );
    return await newSlot(this.arguments());
  }

  async takeAway(): Promise<string[]> {
    return await takeAwaySourceObjects({
      source: this.endpoint('source'),
      database: this.database,
      migrationId: this.identity.migrationId,
      signal: new AbortController().signal,
      liftFence: () => Promise.resolve(),
    });
  }

  /** A user's statement on the source. */
  async sql<Row extends object>(text: string, values?: unknown[]): Promise<Row[]> {
    return await withSession(this.majors.source, this.database, async (client) => {
      const { rows } = await client.query<Row>(text, values);
      return rows;
    });
  }

  /** A session of ours, with all settings. */
  async session<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { signal } = new AbortController();
    return await withConnection(this.endpoint('source'), this.database, signal, work);
  }

  /** What there is of the migration, in this database. */
  async objects(): Promise<string[]> {
    const objects = await this.session((client) => sourceObjects(client, this.identity.migrationId));
    return objects.filter(({ database }) => database === this.database).map(({ kind }) => kind);
  }

  /** Publication and table, quoted. */
  async published(): Promise<string[]> {
    const rows = await this.sql<{ line: string }>(
      `SELECT CASE pubname WHEN $1 THEN 'keyed ' ELSE 'append ' END || tablename AS line
         FROM pg_publication_tables WHERE pubname IN ($1, $2) AND schemaname !~ '^flexlift_' ORDER BY 1`,
      [this.publications.keyed, this.publications.append],
    );
    return rows.map((row) => row.line);
  }

  async identities(): Promise<Record<string, string>> {
    const rows = await this.sql<{ relname: string; relreplident: string }>(
      `SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
    );
    return Object.fromEntries(rows.map((row) => [row.relname, row.relreplident]));
  }

  /** The first bytes of the messages that the slot has for us: I, U, D, T, M… */
  async messages(): Promise<{ kind: string; text: string }[]> {
    const { keyed, append } = this.publications;
    const options = this.majors.source >= 14 ? `, 'messages', 'true'` : '';
    const rows = await this.sql<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1',
                                                            'publication_names', $2${options})`,
      [this.slot, `"${keyed}","${append}"`],
    );
    return rows.map(({ data }) => ({ kind: data.toString('latin1', 0, 1), text: data.toString('utf8') }));
  }

  async drop(): Promise<void> {
    await withSession(this.majors.source, 'postgres', async (client) => {
      await client.query(
        `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active`,
        [this.slot],
      );
      await client.query(
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`,
        [this.slot],
      );
    });
    await dropTestDatabase(this.majors.source, this.database);
    await dropTestDatabase(this.majors.target, this.database);
  }
}

/** A session that goes on until its `end`, for locks and transactions of others. */
export async function otherSession(pair: PreparedPair, applicationName: string): Promise<Client> {
  const { host, port, user } = testAddress(pair.majors.source);
  const client = new Client({
    host,
    port,
    user,
    database: pair.database,
    application_name: applicationName,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Statements after which something durable may have changed. */
const DURABLE =
  /^(BEGIN|COMMIT|CREATE|ALTER|DROP|LOCK|SELECT lsn::|SELECT pg_catalog.pg_drop_rep|INSERT INTO flexlift)/;

/**
 * Cuts the connection that sends the n-th such statement from now on, before or just after it is sent; in the second
 * case the server goes on with it and nobody hears the answer.
 */
export function cutAt(n: number, when: 'before' | 'after'): { sent: () => number; restore: () => void } {
  let sent = 0;
  const original = Reflect.get(Client.prototype, 'query') as (...args: unknown[]) => unknown;
  const spy = jest.spyOn(Client.prototype, 'query').mockImplementation(function (
    this: Client,
    ...args: unknown[]
  ) {
    const counts = typeof args[0] === 'string' && DURABLE.test(args[0]);
    if (counts) sent += 1;
    const cut = counts && sent === n;
    if (cut && when === 'before') socketOf(this).destroy();
    const answer = original.apply(this, args);
    if (cut && when === 'after') setImmediate(() => socketOf(this).destroy());
    return answer as never;
  });
  return { sent: () => sent, restore: () => spy.mockRestore() };
}
