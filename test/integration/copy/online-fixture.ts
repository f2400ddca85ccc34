import {
  copyGroupOnline,
  copyPart,
  currentScope,
  holdTableSnapshot,
  importScope,
  planOnlineLoad,
  storePlan,
  type LoadLimits,
  type Scope,
} from '../../../postgres/copy';
import { copyPartStep } from '../../../activities/copy-rows';
import type { PartResult } from '../../../contract';
import type { StreamIdentity } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import { testEndpoint, type Major } from '../../support/servers';
import { identity, LIMITS, never, Pair } from './fixture';
import { stepRun } from './step-run';

export const PREFIX = 'flexlift:0123456789ab:';
const SPLIT: LoadLimits = { ...LIMITS, partBytes: 100_000, groupBytes: 1_000_000 };

export interface Table {
  oid: number;
  schema: string;
  name: string;
  parts: number;
  group: number | null;
}

export interface Keeper {
  table: Table;
  held: Promise<Scope>;
  /** `returned`, or what it threw. */
  ended: Promise<unknown>;
  said: string[];
  application: string;
  controller: AbortController;
}

/** A pair whose load is planned as an online one: tables above 100 kB are large and split. */
export class OnlinePair {
  private readonly controllers: AbortController[] = [];
  private attempts = 0;

  private constructor(readonly pair: Pair) {}

  static async create(source: Major, target: Major): Promise<OnlinePair> {
    return new OnlinePair(await Pair.create(source, target));
  }

  async drop(): Promise<void> {
    for (const controller of this.controllers) controller.abort(new Error('test over'));
    await eventually('the slots to be gone', async () => (await this.slots()).length === 0);
    await this.pair.drop();
  }

  /** @param identities by name; all others are applied by key. */
  async plan(identities: Record<string, StreamIdentity> = {}): Promise<Table[]> {
    const tables = await this.pair.sql<{ oid: number; name: string }>(
      'source',
      `SELECT c.oid, relname AS name FROM pg_class c
        WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`,
    );
    const plan = await this.pair.session('source', (source) =>
      planOnlineLoad({
        source,
        limits: SPLIT,
        identities: tables.map(({ oid, name }) => ({ oid, identity: identities[name] ?? 'key' })),
      }),
    );
    await this.pair.session('target', (target) => storePlan({ target, identity, plan }));
    return await this.tables();
  }

  async tables(): Promise<Table[]> {
    return await this.pair.sql<Table>(
      'target',
      `SELECT table_oid AS oid, schema_name AS schema, table_name AS name, parts, group_number AS "group"
         FROM flexlift.table_load ORDER BY table_name`,
    );
  }

  async table(name: string): Promise<Table> {
    const table = (await this.tables()).find((each) => each.name === name);
    if (table === undefined) throw new Error(`no table ${name} is planned`);
    return table;
  }

  /** The row that the migration's applier works by. */
  async stream(options: { replicaRole: boolean; cutover?: number }): Promise<void> {
    await this.pair.sql(
      'target',
      `INSERT INTO flexlift.stream (slot, system_identifier, lsn, replica_role, cutover) VALUES ('s', '1', '0/2', $1, $2)`,
      [options.replicaRole, options.cutover ?? 0],
    );
  }

  keep(table: Table, lockTimeout = 200): Keeper {
    const controller = new AbortController();
    this.controllers.push(controller);
    this.attempts += 1;
    const prefix = `${PREFIX}holdTable:${table.oid}:`;
    const application = `${prefix}${this.attempts}`;
    const said: string[] = [];
    let ended: Promise<unknown> = Promise.resolve();
    const held = new Promise<Scope>((resolve, reject) => {
      ended = holdTableSnapshot({
        source: testEndpoint(this.pair.majors.source, 'source', application),
        target: testEndpoint(this.pair.majors.target, 'target', application),
        database: this.pair.databases.source,
        identity,
        tableOid: table.oid,
        predecessorPrefix: prefix,
        writersPrefix: `${PREFIX}copyPart`,
        lockTimeout,
        signal: controller.signal,
        onHeld: resolve,
        onProgress: (what) => said.push(what),
      }).then(
        () => 'returned',
        (error: unknown) => error,
      );
      void ended.then(reject);
    });
    held.catch(() => undefined);
    return { table, held, ended, said, application, controller };
  }

  /** As a server does it that loses the worker's sessions. */
  async killKeeper(keeper: Keeper): Promise<void> {
    await this.terminate(keeper.application);
    await keeper.ended;
  }

  async terminate(application: string): Promise<void> {
    for (const side of ['source', 'target'] as const) {
      await this.pair.sql(
        side,
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE application_name = $1 AND datname = current_database()`,
        [application],
      );
    }
  }

  async copyPart(table: Table, part: number): Promise<{ rows: number; alreadyDone: boolean }> {
    const scope = await this.pair.session('target', (client) =>
      currentScope(client, identity, { tableOid: table.oid }),
    );
    if (scope === undefined) throw new Error(`no scope of ${table.name} is open`);
    return await this.pair.session(
      'source',
      async (source) => {
        await importScope(source, scope);
        return await this.pair.session(
          'target',
          (target) => copyPart({ source, target, identity, scope: scope.scope, table, part, signal: never }),
          `${PREFIX}copyPart:${table.oid}:1`,
        );
      },
      `${PREFIX}copyPart:${table.oid}:1`,
    );
  }

  /** As the activity does it, which waits for a keeper. */
  async retryPart(table: Table, part: number): Promise<PartResult> {
    const run = stepRun(this.pair, 'copyPart', 'Online');
    return await copyPartStep(
      { request: run.request, database: this.pair.databases.source, table, part },
      run,
    );
  }

  async copyGroup(
    group: number,
    change: Partial<Parameters<typeof copyGroupOnline>[0]> = {},
  ): ReturnType<typeof copyGroupOnline> {
    this.attempts += 1;
    const prefix = `${PREFIX}copyGroup:${group}:`;
    return await copyGroupOnline({
      source: testEndpoint(this.pair.majors.source, 'source', `${prefix}${this.attempts}`),
      target: testEndpoint(this.pair.majors.target, 'target', `${prefix}${this.attempts}`),
      database: this.pair.databases.source,
      identity,
      group,
      predecessorPrefix: prefix,
      lockTimeout: 200,
      signal: never,
      ...change,
    });
  }

  /** What the ledger says of the tables, by name. */
  async ledger(): Promise<Record<string, TableState>> {
    const rows = await this.pair.sql<TableState & { name: string }>(
      'target',
      `SELECT table_name AS name, copy_lsn AS lsn, count(copied_at)::int AS copied, count(*)::int AS parts,
              sum(copies)::int AS copies, stream_state AS state, identity, source_counters AS counters
         FROM flexlift.table_load t JOIN flexlift.part USING (table_oid) GROUP BY t.table_oid`,
    );
    return Object.fromEntries(rows.map(({ name, ...state }) => [name, state]));
  }

  async scopes(): Promise<{ of: string | null; state: string }[]> {
    return await this.pair.sql(
      'target',
      `SELECT COALESCE(t.table_name, 'group ' || s.group_number) AS of, s.state
         FROM flexlift.scope s LEFT JOIN flexlift.table_load t USING (table_oid) ORDER BY scope`,
    );
  }

  async slots(): Promise<object[]> {
    return await this.pair.sql(
      'source',
      'SELECT slot_name FROM pg_replication_slots WHERE database = current_database()',
    );
  }

  async expectEqual(...tables: string[]): Promise<void> {
    for (const table of tables) {
      const { source, target } = await this.pair.results(`SELECT t::text AS row FROM ${table} t ORDER BY 1`);
      expect(target).toEqual(source);
    }
  }
}

export interface TableState {
  lsn: string | null;
  copied: number;
  parts: number;
  copies: number;
  state: string;
  identity: string;
  counters: object | null;
}

/** About `rows` × 200 bytes. */
export async function fill(pair: Pair, table: string, rows: number): Promise<void> {
  await pair.sql(
    'source',
    `INSERT INTO ${table} (id, v) SELECT g, repeat('x', 180) FROM generate_series(1, ${rows}) g`,
  );
}

/** Until somebody on the source waits for a lock on the table. */
export async function waitsForLock(pair: Pair, table: string): Promise<void> {
  await eventually('somebody to wait for the lock', async () => {
    const waiting = await pair.sql(
      'source',
      'SELECT FROM pg_locks WHERE NOT granted AND relation = $1::regclass',
      [table],
    );
    return waiting.length > 0;
  });
}
