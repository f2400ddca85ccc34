import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { applicationName, quoteIdentifier, withConnection, type Endpoint } from '../../../postgres/connect';
import {
  liftFence,
  raiseFence,
  type LiftedFences,
  type RaiseFence,
  type RaisedFence,
} from '../../../postgres/fence';
import {
  createTestDatabase,
  dropTestDatabase,
  run,
  testAddress,
  testEndpoint,
  type Major,
} from '../../support/servers';
import { asUser, createNamed } from '../database/support';

export const NEVER = new AbortController().signal;

/** A database of a user who owns it and is no superuser, with other users of his. */
export class FencedSource {
  readonly migrationId = randomBytes(6).toString('hex');
  private readonly roles: string[] = [];

  private constructor(
    readonly major: Major,
    readonly database: string,
    readonly owner: string,
  ) {}

  static async create(major: Major, name?: string): Promise<FencedSource> {
    const suffix = randomBytes(3).toString('hex');
    const database = name === undefined ? await createTestDatabase(major, 'flx_fence') : `${name}_${suffix}`;
    if (name !== undefined) await createNamed(major, database);
    const source = new FencedSource(major, database, `flx_fence_${suffix} "owner's 🐘`);
    source.roles.push(source.owner);
    const owner = quoteIdentifier(source.owner);
    await source.admin(
      `CREATE ROLE ${owner} LOGIN CREATEROLE`,
      `GRANT pg_signal_backend TO ${owner}`,
      `ALTER DATABASE ${quoteIdentifier(database)} OWNER TO ${owner}`,
      'CREATE TABLE t (id bigserial PRIMARY KEY, writer int)',
      'GRANT ALL ON t, t_id_seq TO PUBLIC',
    );
    return source;
  }

  /** Made by the owner, so that from 16 on he may alter it. */
  async createRole(name: string, options = 'LOGIN'): Promise<string> {
    const role = `${name} ${randomBytes(3).toString('hex')}`;
    await this.asOwner((client) => client.query(`CREATE ROLE ${quoteIdentifier(role)} ${options}`));
    this.roles.push(role);
    return role;
  }

  get endpoint(): Endpoint {
    const owner = {
      migrationId: this.migrationId,
      activity: 'raiseFence',
      workKey: this.database,
      attempt: '1',
    };
    return asUser(testEndpoint(this.major, 'source', applicationName(owner)), this.owner);
  }

  async admin(...statements: string[]): Promise<void> {
    await run(this.major, this.database, ...statements);
  }

  async connect(user: string, options: { applicationName?: string; options?: string } = {}): Promise<Client> {
    const { host, port } = testAddress(this.major);
    const client = new Client({
      ...{ host, port, user, database: this.database, options: options.options },
      application_name: options.applicationName ?? 'the "application"',
    });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  }

  async asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return await this.as(this.owner, work);
  }

  async as<T>(user: string, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.connect(user);
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  async raise(change: Partial<RaiseFence> = {}): Promise<RaisedFence> {
    return await raiseFence({
      source: this.endpoint,
      database: this.database,
      migrationId: this.migrationId,
      attempt: 1,
      mode: 'read-only',
      unseen: [],
      confirm: () => Promise.resolve(),
      signal: NEVER,
      onProgress: () => undefined,
      ...change,
    });
  }

  async lift(lifted: LiftedFences = {}): Promise<boolean> {
    return await withConnection(this.endpoint, this.database, NEVER, (client) =>
      liftFence(client, { migrationId: this.migrationId, ...lifted }),
    );
  }

  /** Whether a new session of this user's begins read-only. */
  async isReadOnly(user: string): Promise<boolean> {
    return await this.as(user, async (client) => {
      const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only');
      return rows[0]?.transaction_read_only === 'on';
    });
  }

  /** All that a fence may touch, in an order of its own. */
  async footprint(): Promise<unknown> {
    return await this.as('postgres', async (client) => {
      const { rows } = await client.query(
        `SELECT (SELECT json_agg(json_build_array(setrole, setdatabase, setconfig) ORDER BY setrole, setdatabase)
                   FROM pg_db_role_setting WHERE setdatabase IN (0, d.oid)
                    AND (setrole = 0 OR pg_get_userbyid(setrole) = ANY ($1))) AS settings,
                (SELECT array_agg(a::text ORDER BY a::text)
                   FROM unnest(COALESCE(datacl, acldefault('d', datdba))) a) AS rights,
                (SELECT json_agg(json_build_array(subname, subenabled) ORDER BY subname)
                   FROM pg_subscription WHERE subdbid = d.oid) AS subscriptions,
                (SELECT array_agg(pubname) FROM pg_publication) AS publications, datconnlimit
           FROM pg_database d WHERE datname = current_database()`,
        [this.roles],
      );
      return rows[0] as unknown;
    });
  }

  async drop(): Promise<void> {
    await dropTestDatabase(this.major, this.database);
    const roles = this.roles.reverse().map(quoteIdentifier);
    await run(this.major, 'postgres', ...roles.map((role) => `DROP ROLE ${role}`));
  }
}

/** The failure of an attempt to raise a fence that has to be refused. */
export async function refusal(attempt: Promise<unknown>): Promise<FlexliftError> {
  const error = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FlexliftError);
  expect((error as FlexliftError).code).toBe('CutoverRefused');
  return error as FlexliftError;
}

export function pidOf(client: Client): number {
  return (client as Client & { processID: number }).processID;
}
