import type { Client } from 'pg';
import { quoteIdentifier, withConnection, type Side } from '../../../postgres/connect';
import {
  copyPart,
  copyTables,
  importSnapshot,
  openScope,
  planLoad,
  storePlan,
  type CopiedPart,
  type LoadLimits,
  type PlannedTable,
  type Scope,
  type SourceTable,
} from '../../../postgres/copy';
import { createLedger, withLedger, type LedgerIdentity } from '../../../postgres/ledger';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

export const identity: LedgerIdentity = { migrationId: '0123456789ab', generation: 1 };
export const LIMITS: LoadLimits = {
  copiesAtOnce: 4,
  partBytes: 1024 ** 3,
  groupBytes: 256 * 1024 ** 2,
  groupTables: 500,
};
export const never: AbortSignal = new AbortController().signal;

/** A source and a target database on two servers, the target with a ledger. */
export class Pair {
  private constructor(
    readonly majors: Record<Side, Major>,
    readonly databases: Record<Side, string>,
  ) {}

  static async create(source: Major, target: Major, options = ''): Promise<Pair> {
    const name = await createTestDatabase(source, 'copy', options);
    await withSession(target, 'postgres', (client) =>
      client.query(`CREATE DATABASE ${quoteIdentifier(name)} TEMPLATE template0 ${options}`),
    );
    const databases = { source: name, target: name };
    const pair = new Pair({ source, target }, databases);
    await pair.session('target', (client) => createLedger(client, identity, { databaseCreated: true }));
    return pair;
  }

  async drop(): Promise<void> {
    await dropTestDatabase(this.majors.source, this.databases.source);
    await dropTestDatabase(this.majors.target, this.databases.target);
  }

  /** A session of ours, with all settings. */
  async session<T>(
    side: Side,
    work: (client: Client) => Promise<T>,
    application = 'flexlift:0123456789ab:copyPart:test:1',
    signal: AbortSignal = never,
  ): Promise<T> {
    const endpoint = testEndpoint(this.majors[side], side, application);
    return await withConnection(endpoint, this.databases[side], signal, work);
  }

  /** Statements of a user. */
  async sql<Row extends object>(side: Side, text: string, values?: unknown[]): Promise<Row[]> {
    return await withSession(this.majors[side], this.databases[side], async (client) => {
      const { rows } = await client.query<Row>(text, values);
      return rows;
    });
  }

  /** The same schema on both sides. */
  async both(ddl: string): Promise<void> {
    await this.sql('source', ddl);
    await this.sql('target', ddl);
  }

  /** The same query's rows on both sides. */
  async results(query: string): Promise<Record<Side, object[]>> {
    const ask = (side: Side) =>
      this.session(side, async (client) => (await client.query<object>(query)).rows);
    return { source: await ask('source'), target: await ask('target') };
  }

  /** Opens a scope whose snapshot is held while `work` runs. */
  async withScope<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
    return await this.session('source', async (holder) => {
      await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      const { rows } = await holder.query<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
      const scope = await this.session('target', (target) =>
        withLedger(target, identity, () =>
          openScope(target, { snapshot: rows[0]?.snapshot ?? '', sourceXmax: '0' }),
        ),
      );
      return await work(scope);
    });
  }

  /** A session on each side, the source's in the scope's snapshot. */
  async withSessions<T>(scope: Scope, work: (source: Client, target: Client) => Promise<T>): Promise<T> {
    return await this.session('source', async (source) => {
      await importSnapshot(source, scope.snapshot);
      return await this.session('target', (target) => work(source, target));
    });
  }

  async plan(scope: Scope, limits: Partial<LoadLimits> = {}): Promise<PlannedTable[]> {
    return await this.withSessions(scope, async (source, target) => {
      const plan = await planLoad({ source, limits: { ...LIMITS, ...limits } });
      await storePlan({ target, identity, plan });
      return plan.tables;
    });
  }

  async copyPart(scope: Scope, table: Omit<SourceTable, 'condition'>, part: number): Promise<CopiedPart> {
    return await this.withSessions(scope, (source, target) =>
      copyPart({ source, target, identity, scope: scope.scope, table, part, signal: never }),
    );
  }

  /** Plans and copies everything, one part after the other, whole tables together. */
  async copyAll(limits: Partial<LoadLimits> = {}): Promise<PlannedTable[]> {
    return await this.withScope(async (scope) => {
      const tables = await this.plan(scope, limits);
      await this.withSessions(scope, async (source, target) => {
        const copying = { source, target, identity, scope: scope.scope, signal: never };
        const isWhole = (table: PlannedTable) => table.parts.length === 1;
        const whole = tables.filter(isWhole).map((table) => ({ ...table, bytes: table.estimatedBytes }));
        await copyTables({ ...copying, tables: whole });
        for (const table of tables.filter((each) => !isWhole(each))) {
          for (const [index] of table.parts.entries()) await copyPart({ ...copying, table, part: index + 1 });
        }
      });
      return tables;
    });
  }
}

export function tableNamed(tables: PlannedTable[], name: string): PlannedTable {
  const table = tables.find((each) => each.name === name);
  if (table === undefined) throw new Error(`no table ${name} is planned`);
  return table;
}
