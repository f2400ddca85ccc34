import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Client } from 'pg';
import { FlexliftError, type ReplicationProgress } from '../../../contract';
import { quoteIdentifier, quoteQualified } from '../../../postgres/connect';
import { createLedger } from '../../../postgres/ledger';
import { applyChanges, type Applied, type ApplyArguments } from '../../../postgres/replicate/applier';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { eventually } from '../../support/eventually';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  testEndpoint,
  type Major,
} from '../../support/servers';

export type RunOptions = Partial<Omit<ApplyArguments, 'source' | 'target' | 'database' | 'identity'>>;

/** An applier in the background. */
export interface RunningApplier {
  result: Promise<Applied>;
  stop(): Promise<Applied>;
}

/** A source and a target with the same tables, publications, a slot and a ledger: as the load leaves them. */
export class ReplicationFixture {
  private attempts = 0;
  private readonly stops: AbortController[] = [];

  private constructor(
    readonly majors: { source: Major; target: Major },
    readonly database: string,
    readonly identity: { migrationId: string; generation: number },
    readonly slot: string,
    readonly source: Client,
    readonly target: Client,
  ) {}

  /**
   * @param schema run on both sides before the slot is made: tables and their first rows
   * @param options of the databases: what follows `CREATE DATABASE …`
   */
  static async create(
    source: Major,
    target: Major,
    schema: string,
    options = { source: '', target: '' },
  ): Promise<ReplicationFixture> {
    const database = await createTestDatabase(source, 'applier', options.source);
    await inDatabase(target, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${quoteIdentifier(database)} TEMPLATE template0 ${options.target}`),
    );
    const migrationId = randomBytes(6).toString('hex');
    const slot = `flexlift_${migrationId}_${createHash('sha256').update(database).digest('hex').slice(0, 8)}`;
    const fixture = new ReplicationFixture(
      { source, target },
      database,
      { migrationId, generation: 1 },
      slot,
      await connect(source, database),
      await connect(target, database),
    );
    await fixture.source.query(schema);
    await fixture.target.query(schema);
    await fixture.prepare();
    return fixture;
  }

  private async prepare(): Promise<void> {
    const { source, target, slot, identity } = this;
    const name = `flexlift_${identity.migrationId}`;
    await source.query(`CREATE SCHEMA ${name}; CREATE TABLE ${name}.marker (content text PRIMARY KEY)`);
    const tables = await source.query<{ oid: number; schema: string; name: string; identity: string }>(
      `SELECT c.oid, n.nspname AS schema, c.relname AS name,
              CASE WHEN c.relreplident = 'f' THEN 'full' WHEN c.relreplident = 'i' OR EXISTS (
                SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) THEN 'key' ELSE 'append' END AS identity
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema|flexlift_)'`,
    );
    const names = (append: boolean) =>
      tables.rows
        .filter((table) => (table.identity === 'append') === append)
        .map((table) => quoteQualified(table.schema, table.name));
    await source.query(
      `CREATE PUBLICATION ${name} FOR TABLE ${[`${name}.marker`, ...names(false)].join(', ')}`,
    );
    if (names(true).length > 0) {
      await source.query(
        `CREATE PUBLICATION ${name}_append FOR TABLE ${names(true).join(', ')} WITH (publish = 'insert, truncate')`,
      );
    }
    const { rows } = await source.query<{ lsn: string; system: string }>(
      `SELECT s.lsn, (SELECT system_identifier::text FROM pg_control_system()) AS system
         FROM pg_create_logical_replication_slot($1, 'pgoutput') s`,
      [slot],
    );
    await createLedger(target, identity, { databaseCreated: true });
    await target.query(
      `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role) VALUES ($1, $2, $3, true)`,
      [slot, rows[0]?.system, rows[0]?.lsn],
    );
    await target.query(`INSERT INTO flexlift.step (kind, key) VALUES ('phase', 'load')`);
    for (const table of tables.rows) {
      await target.query(
        `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts,
                                          identity, copy_lsn)
         VALUES ($1, $2, $3, 0, 0, 1, $4, $5)`,
        [table.oid, table.schema, table.name, table.identity, rows[0]?.lsn],
      );
      await target.query(
        `INSERT INTO flexlift.part (table_oid, part, copies, copied_at) VALUES ($1, 1, 1, now())`,
        [table.oid],
      );
    }
  }

  /** Starts one run. */
  run(options: RunOptions = {}): RunningApplier {
    const stop = new AbortController();
    this.stops.push(stop);
    this.attempts += 1;
    const name = `${this.workPrefix}${this.attempts}`;
    const result = applyChanges({
      source: testEndpoint(this.majors.source, 'source', name),
      target: testEndpoint(this.majors.target, 'target', name),
      database: this.database,
      identity: this.identity,
      predecessorPrefix: this.workPrefix,
      stop: stop.signal,
      signal: new AbortController().signal,
      watchInterval: 1_000,
      ...options,
    });
    result.catch(() => undefined);
    const end = () => {
      stop.abort();
      return result;
    };
    return { result, stop: end };
  }

  /** Runs again and again, as the activity's retries do, until it is stopped; only what is transient may end a run. */
  runForever(options: RunOptions = {}): { stop(): Promise<number>; failures: FlexliftError[] } {
    const failures: FlexliftError[] = [];
    let stopped = false;
    let current: RunningApplier | undefined;
    const loop = (async () => {
      while (!stopped) {
        current = this.run(options);
        try {
          await current.result;
        } catch (error) {
          if (!(error instanceof FlexliftError) || error.failureClass !== 'transient') throw error;
          failures.push(error);
          await pause(20);
        }
      }
      return failures.length;
    })();
    loop.catch(() => undefined);
    const stop = async () => {
      stopped = true;
      await current?.stop().catch(() => undefined);
      return await loop;
    };
    return { stop, failures };
  }

  get workPrefix(): string {
    return `flexlift:${this.identity.migrationId}:apply:`;
  }

  /** Waits until all that is committed on the source now is on the target. */
  async caughtUp(timeout = 30_000): Promise<void> {
    const marker = `caught up ${randomBytes(4).toString('hex')}`;
    await this.writeMarker(marker);
    await eventually(
      'the applier to catch up',
      async () =>
        (await this.target.query(`SELECT FROM flexlift.step WHERE kind = 'marker' AND key = $1`, [marker]))
          .rowCount === 1,
      { timeout, interval: 20 },
    );
  }

  async writeMarker(marker: string): Promise<void> {
    if (this.majors.source >= 14) {
      await this.source.query(`SELECT pg_logical_emit_message(true, 'flexlift', $1)`, [marker]);
    } else {
      await this.source.query(`INSERT INTO flexlift_${this.identity.migrationId}.marker VALUES ($1)`, [
        marker,
      ]);
    }
  }

  async expectEqual(): Promise<void> {
    const stopped = await this.target.query(
      `SELECT table_name, stopped_by FROM flexlift.table_load WHERE stream_state <> 'applied'`,
    );
    expect(stopped.rows).toEqual([]);
    const [source, target] = await Promise.all([contents(this.source), contents(this.target)]);
    expect(target).toEqual(source);
  }

  async ledgerLsn(): Promise<bigint> {
    const { rows } = await this.target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
    return parseLsn(rows[0]?.lsn ?? '0/0');
  }

  async confirmedLsn(): Promise<bigint | undefined> {
    const { rows } = await this.source.query<{ lsn: string }>(
      'SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = $1',
      [this.slot],
    );
    return rows[0] === undefined ? undefined : parseLsn(rows[0].lsn);
  }

  async oidOf(table: string): Promise<number> {
    const { rows } = await this.source.query<{ oid: number }>('SELECT $1::regclass::oid AS oid', [table]);
    return rows[0]?.oid ?? 0;
  }

  async stateOf(table: string): Promise<{ stream_state: string; stopped_by: unknown }> {
    const { rows } = await this.target.query<{ stream_state: string; stopped_by: unknown }>(
      'SELECT stream_state, stopped_by FROM flexlift.table_load WHERE table_oid = $1',
      [await this.oidOf(table)],
    );
    if (rows[0] === undefined) throw new Error(`no table ${table}`);
    return rows[0];
  }

  /** Watches that the source is never told of more than the ledger holds, until `stop`, which says how often it looked. */
  watchConfirmation(): { stop(): Promise<number> } {
    let stopped = false;
    const loop = (async () => {
      const source = await connect(this.majors.source, this.database);
      const target = await connect(this.majors.target, this.database);
      let looks = 0;
      try {
        for (; !stopped; looks++) {
          const confirmed = await source.query<{ lsn: string }>(
            'SELECT confirmed_flush_lsn AS lsn FROM pg_replication_slots WHERE slot_name = $1',
            [this.slot],
          );
          const ledger = await target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
          const [is, may] = [confirmed.rows[0]?.lsn, ledger.rows[0]?.lsn];
          if (is !== undefined && may !== undefined && parseLsn(is) > parseLsn(may)) {
            throw new Error(`the slot was told ${is}, the ledger stands at ${may}`);
          }
          await pause(5);
        }
        return looks;
      } finally {
        await source.end();
        await target.end();
      }
    })();
    loop.catch(() => undefined);
    return {
      stop: async () => {
        stopped = true;
        return await loop;
      },
    };
  }

  /** Ends the applier's sessions on one side. */
  async killSessions(side: 'source' | 'target'): Promise<number> {
    const { rowCount } = await this[side].query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE starts_with(application_name, $1) AND datname = current_database()`,
      [this.workPrefix],
    );
    return rowCount ?? 0;
  }

  session(side: 'source' | 'target', database = this.database): Promise<Client> {
    return connect(this.majors[side], database);
  }

  async drop(): Promise<void> {
    for (const stop of this.stops) stop.abort();
    // a fence may have ended ours
    const source = await this.session('source');
    await eventually('the slot to be dropped', async () => {
      try {
        await source.query(
          `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active`,
          [this.slot],
        );
        await source.query(
          `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`,
          [this.slot],
        );
        return true;
      } catch {
        return false;
      }
    });
    await source.end();
    await this.source.end();
    await this.target.end();
    await dropTestDatabase(this.majors.source, this.database);
    await dropTestDatabase(this.majors.target, this.database);
  }
}

async function connect(major: Major, database: string): Promise<Client> {
  const { host, port, user } = testAddress(major);
  const client = new Client({ host, port, user, database });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function inDatabase<T>(
  major: Major,
  database: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect(major, database);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Rows and a checksum of each table of the application. */
async function contents(client: Client): Promise<Record<string, string>> {
  const { rows } = await client.query<{ schema: string; name: string }>(
    `SELECT n.nspname AS schema, c.relname AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND n.nspname !~ '^(pg_|information_schema|flexlift)' ORDER BY 1, 2`,
  );
  const found: Record<string, string> = {};
  for (const { schema, name } of rows) {
    const table = quoteQualified(schema, name);
    const sums = await client.query<{ sum: string }>(
      `SELECT count(*) || ' ' || COALESCE(md5(string_agg(md5(t::text), '' ORDER BY t::text COLLATE "C")), '') AS sum
         FROM ${table} t`,
    );
    found[table] = sums.rows[0]?.sum ?? '';
  }
  return found;
}

/** Collects what a run reports. */
export function progressLog(): {
  onProgress: (progress: ReplicationProgress) => void;
  all: ReplicationProgress[];
} {
  const all: ReplicationProgress[] = [];
  return { onProgress: (progress) => all.push(progress), all };
}
