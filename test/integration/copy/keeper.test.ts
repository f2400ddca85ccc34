import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { checksumSourceTableStep } from '../../../activities/copy-rows';
import { withConnection } from '../../../postgres/connect';
import {
  completeScope,
  currentScope,
  holdSnapshot,
  lockSourceTables,
  type Scope,
} from '../../../postgres/copy';
import { releaseLedger, saveSourceChecksums, type TableChecksum } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import {
  createTestDatabase,
  dropTestDatabase,
  testAddress,
  testEndpoint,
  withSession,
} from '../../support/servers';
import { identity, LIMITS, never, Pair } from './fixture';
import { stepRun } from './step-run';

let pair: Pair;
let keepers: AbortController[] = [];

beforeEach(async () => {
  pair = await Pair.create(14, 17);
});

afterEach(async () => {
  for (const keeper of keepers) keeper.abort(new Error('test over'));
  keepers = [];
  await pair.drop();
});

interface Keeper {
  held: Promise<Scope>;
  ended: Promise<unknown>;
  said: string[];
  controller: AbortController;
}

const SPLIT = { ...LIMITS, partBytes: 400_000, groupBytes: 100_000 };
const KEEPER = 'flexlift:0123456789ab:holdSnapshot:keeper:';
let attempts = 0;

/** Rows and sum of `id` or, without one, of nothing. */
async function checksumTable({
  client,
  table,
}: {
  client: Client;
  table: { schema: string; name: string };
}): Promise<TableChecksum> {
  const { rows } = await client.query<TableChecksum>(
    `SELECT count(*)::text AS rows, COALESCE(sum(hashtext(t::text)), 0)::text AS checksum FROM "${table.schema}"."${table.name}" t`,
  );
  return rows[0] ?? { rows: '0', checksum: '0' };
}

function startKeeper(change: Partial<Parameters<typeof holdSnapshot>[0]> = {}): Keeper {
  const controller = new AbortController();
  keepers.push(controller);
  attempts += 1;
  const said: string[] = [];
  let ended: Promise<unknown> = Promise.resolve();
  const held = new Promise<Scope>((resolve, reject) => {
    ended = holdSnapshot({
      source: testEndpoint(14, 'source', `${KEEPER}${attempts}`),
      target: testEndpoint(17, 'target', `${KEEPER}${attempts}`),
      database: pair.databases.source,
      identity,
      limits: SPLIT,
      predecessorPrefix: KEEPER,
      writersPrefix: 'flexlift:0123456789ab:copy',
      lockTimeout: 200,
      checksumTables: async ({ client, tables }) => {
        const found: TableChecksum[] = [];
        for (const table of tables) found.push(await checksumTable({ client, table }));
        return found;
      },
      canCopy: () => Promise.resolve(true),
      signal: controller.signal,
      onHeld: resolve,
      onProgress: (what) => said.push(what),
      ...change,
    }).catch((error: unknown) => error);
    void ended.then(reject);
  });
  held.catch(() => undefined);
  return { held, ended, said, controller };
}

async function terminate(application: string): Promise<void> {
  await pair.sql(
    'source',
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = $2',
    [application, pair.databases.source],
  );
}

async function ledger(): Promise<
  { name: string; parts: string; scopes: number[]; copies: string; checksum: string | null }[]
> {
  return await pair.sql(
    'target',
    `SELECT table_name AS name, count(copied_at) || '/' || count(*) AS parts, array_agg(DISTINCT scope) AS scopes,
            sum(copies) AS copies, source_checksum AS checksum
       FROM flexlift.table_load t JOIN flexlift.part USING (table_oid) GROUP BY t.table_oid ORDER BY 1`,
  );
}

/** As the keeper planned them. */
async function plannedTables(): Promise<{ oid: number; schema: string; name: string; parts: number }[]> {
  return await pair.sql(
    'target',
    `SELECT table_oid AS oid, schema_name AS schema, table_name AS name, parts FROM flexlift.table_load ORDER BY name`,
  );
}

async function skipLargeObjects(scope: Scope): Promise<void> {
  await pair.sql('target', 'UPDATE flexlift.large_object_batch SET copied_at = now(), scope = $1', [
    scope.scope,
  ]);
}

/** Copies every part that is left under the open scope, and takes the checksums asked for. */
async function copyRest(
  scope: Scope,
  options: { except?: [string, number]; checksums?: string[] } = {},
): Promise<void> {
  for (const table of await plannedTables()) {
    for (let part = 1; part <= table.parts; part += 1) {
      if (options.except?.[0] === table.name && options.except[1] === part) continue;
      await pair.copyPart(scope, table, part);
    }
    if (options.checksums?.includes(table.name) !== true) continue;
    await pair.withSessions(scope, async (source, target) => {
      const checksum = await checksumTable({ client: source, table });
      await saveSourceChecksums(target, identity, scope.scope, [{ tableOid: table.oid, ...checksum }]);
    });
  }
}

const complete = ({ scope }: Scope) =>
  pair.session('target', (target) => completeScope({ target, identity, scope }));

const sessionsOnSource = () =>
  pair.sql(
    'source',
    `SELECT FROM pg_stat_activity WHERE application_name LIKE '${KEEPER}%' AND datname = current_database()`,
  );

async function expectEqual(...tables: string[]): Promise<void> {
  for (const table of tables) {
    const { source, target } = await pair.results(`SELECT t::text AS row FROM public.${table} t ORDER BY 1`);
    expect(target).toEqual(source);
  }
}

test('holds locks and snapshot until it is let go, and leaves nothing', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const keeper = startKeeper();
  const scope = await keeper.held;
  const current = await pair.session('target', (client) => currentScope(client, identity));
  expect(current).toMatchObject(scope);
  await pause(1500);
  expect(keeper.said.filter((what) => what.startsWith('holding')).length).toBeGreaterThan(1);
  const reason = new Error('let go');
  keeper.controller.abort(reason);
  expect(await keeper.ended).toBe(reason);
  await eventually('the sessions to be gone', async () => (await sessionsOnSource()).length === 0);
});

test('lets go of the source once all is copied, until the target has lost that', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const keeper = startKeeper();
  const scope = await keeper.held;
  await copyRest(scope);
  await skipLargeObjects(scope);
  await complete(scope);
  await eventually('the source to be let go of', async () => (await sessionsOnSource()).length === 0);
  expect(keeper.said.at(-1)).toBe('all is copied');
  await pair.sql('target', `UPDATE flexlift.scope SET state = 'open'`);
  expect(await keeper.ended).toMatchObject({ code: 'SnapshotLost' });
});

test('holds on while the target cannot be asked', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const target = testEndpoint(17, 'target', `${KEEPER}${attempts + 1}`);
  const keeper = startKeeper({ target });
  await keeper.held;
  let asked = 0;
  target.resolvePassword = () => {
    asked += 1;
    return Promise.reject(new Error('no password today'));
  };
  await eventually('two looks in vain', () => Promise.resolve(asked >= 2));
  expect(await sessionsOnSource()).toHaveLength(1);
});

test('gives its snapshot up where the target has forgotten it', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const keeper = startKeeper();
  await keeper.held;
  await pair.sql('target', 'DELETE FROM flexlift.scope');
  expect(await keeper.ended).toMatchObject({ code: 'SnapshotLost' });
});

test('TRUNCATE, CLUSTER, VACUUM FULL and ALTER wait until a split table is copied; they hold nobody off', async () => {
  await pair.both('CREATE TABLE t (id int PRIMARY KEY, v text)');
  await pair.sql('source', `INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g`);
  const keeper = startKeeper();
  const scope = await keeper.held;
  const [table] = await plannedTables();
  if (table === undefined) throw new Error('no table is planned');
  expect(table.parts).toBeGreaterThan(2);
  await pair.copyPart(scope, table, 1);
  const statements = [
    'TRUNCATE t',
    'CLUSTER t USING t_pkey',
    'VACUUM FULL t',
    'ALTER TABLE t ALTER COLUMN id TYPE bigint',
  ];
  let ended = 0;
  const attempts = statements.map((statement) =>
    pair.sql('source', statement).finally(() => {
      ended += 1;
    }),
  );
  await eventually('all of them to wait', async () => {
    const waiting = await pair.sql(
      'source',
      `SELECT FROM pg_locks WHERE NOT granted AND relation = 't'::regclass`,
    );
    return waiting.length === statements.length;
  });
  // whoever comes later stands behind them, and says so instead of waiting
  const part = await pair.copyPart(scope, table, 2).catch((error: unknown) => error);
  if (part instanceof Error) expect(part).toMatchObject({ code: 'Contention', fields: { side: 'source' } });
  await eventually('the keeper to copy it', async () => {
    const [row] = await ledger();
    return row?.parts === `${table.parts}/${table.parts}` && row.checksum !== null;
  });
  expect((await pair.copyPart(scope, table, 3)).alreadyDone).toBe(true);
  // the table itself cannot be read by it
  const run = stepRun(pair, 'checksumSourceTable', 'Offline');
  const step = { request: run.request, database: pair.databases.source, table };
  await expect(checksumSourceTableStep(step, run)).resolves.toBeUndefined();
  expect(ended).toBe(0);
  const count = await pair.sql('target', 'SELECT count(*), count(DISTINCT id) AS ids FROM t');
  expect(count).toEqual([{ count: '5000', ids: '5000' }]);
  await skipLargeObjects(scope);
  expect((await complete(scope)).complete).toBe(true);
  keeper.controller.abort(new Error('done'));
  await Promise.all(attempts);
});

test.each([11, 14, 18] as const)('the lock is there before the snapshot, %i', async (major) => {
  const database = await createTestDatabase(major, 'copy');
  try {
    await withSession(major, database, async (application) => {
      await application.query('CREATE TABLE t (id int)');
      await withConnection(testEndpoint(major, 'source'), database, never, async (client) => {
        await lockSourceTables({ client, lockTimeout: 100, signal: never, onProgress: () => undefined });
        await application.query('INSERT INTO t VALUES (1)');
        const { rows } = await client.query('SELECT id FROM public.t');
        expect(rows).toEqual([{ id: 1 }]);
        await application.query('INSERT INTO t VALUES (2)');
        expect((await client.query('SELECT id FROM public.t')).rows).toEqual([{ id: 1 }]);
        await expect(application.query(`SET lock_timeout = 100; TRUNCATE t`)).rejects.toThrow('lock timeout');
      });
    });
  } finally {
    await dropTestDatabase(major, database);
  }
});

test('a lock of the application is waited for without any of ours; it is named', async () => {
  await pair.both('CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE "B 2" (id int)');
  let keeper: Keeper | undefined;
  await pair.session('source', async (application) => {
    await application.query('BEGIN; LOCK TABLE public."B 2" IN ACCESS EXCLUSIVE MODE');
    const waiting = startKeeper();
    keeper = waiting;
    await eventually('the keeper to say so', () =>
      Promise.resolve(
        waiting.said.some((what) =>
          /waiting for table "public"."B 2", locked by process \d+ \("flexlift/.test(what),
        ),
      ),
    );
    // another session, for one that gave its lock up to try would let the keeper in between
    await pair.session('source', async (other) => {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        await other.query(`BEGIN; SET LOCAL lock_timeout = '150ms';
          LOCK TABLE public.a, public.b IN ACCESS EXCLUSIVE MODE; ROLLBACK`);
        await pause(100);
      }
    });
    await application.query('ROLLBACK');
  });
  expect((await keeper?.held)?.scope).toBeGreaterThan(0);
});

test('a table made between the list of tables and the snapshot is locked and planned too', async () => {
  await pair.both('CREATE TABLE early (id int)');
  const { host, port, user } = testAddress(14);
  const client = JSON.stringify({ host, port, user, database: pair.databases.source });
  const create = `const { Client } = require('pg'); const client = new Client(${client});
    client.connect().then(() => client.query('CREATE TABLE late (id int)')).then(() => client.end());`;
  let created = false;
  const said: string[] = [];
  await startKeeper({
    onProgress(what) {
      said.push(what);
      if (created || !what.startsWith('locking')) return;
      created = true;
      // the keeper has listed its tables and goes on when this returns
      execFileSync(process.execPath, ['-e', create]);
    },
  }).held;
  const locked = await pair.sql<{ relation: string }>(
    'source',
    `SELECT DISTINCT relation::regclass::text AS relation FROM pg_locks
      WHERE mode = 'AccessShareLock' AND relation IN ('early'::regclass, 'late'::regclass)
        AND pid IN (SELECT pid FROM pg_stat_activity WHERE application_name LIKE '${KEEPER}%') ORDER BY 1`,
  );
  expect(locked.map((row) => row.relation)).toEqual(['early', 'late']);
  expect((await plannedTables()).map((table) => table.name).sort()).toEqual(['early', 'late']);
  expect(said).toContain('the tables of the source changed while they were being locked; once more');
});

test('who waits for a table that cannot be copied yet is made way for', async () => {
  await pair.both('CREATE TABLE busy (id int)');
  const keeper = startKeeper({ canCopy: () => Promise.resolve(false) });
  await keeper.held;
  await pair.sql('source', 'TRUNCATE busy');
  expect(await keeper.ended).toMatchObject({ code: 'SnapshotLost', failureClass: 'transient' });
});

test('the loss of its session ends the keeper', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const keeper = startKeeper();
  await keeper.held;
  await terminate(`${KEEPER}${attempts}`);
  expect(await keeper.ended).toMatchObject({ code: 'SnapshotLost' });
});

test('a dead keeper costs what was not whole or has changed, and nothing else; the ledger shows it', async () => {
  await pair.both(`
    CREATE TABLE kept (id int, v text); CREATE TABLE kept_split (id int, v text);
    CREATE TABLE changed (id int); CREATE TABLE unproven (id int); CREATE TABLE half (id int, v text)`);
  await pair.sql(
    'source',
    `INSERT INTO kept VALUES (1, 'a'); INSERT INTO changed VALUES (1); INSERT INTO unproven VALUES (1);
     INSERT INTO half SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g;
     INSERT INTO kept_split SELECT g, repeat('x', 200) FROM generate_series(1, 5000) g`,
  );
  const first = startKeeper();
  const lost = await first.held;
  await copyRest(lost, { except: ['half', 2], checksums: ['kept', 'kept_split', 'changed', 'half'] });
  await terminate(`${KEEPER}${attempts}`);
  expect(await first.ended).toMatchObject({ code: 'SnapshotLost' });
  await pair.sql('source', 'INSERT INTO changed VALUES (2)');

  const scope = await startKeeper().held;
  expect(scope.scope).not.toBe(lost.scope);
  const rows = Object.fromEntries((await ledger()).map((row) => [row.name, row]));
  expect(rows['kept']).toMatchObject({ parts: '1/1', scopes: [scope.scope], copies: '1' });
  expect(rows['kept_split']?.scopes).toEqual([scope.scope]);
  for (const name of ['changed', 'unproven', 'half']) {
    expect(rows[name]).toMatchObject({
      parts: expect.stringMatching(/^0\//) as string,
      scopes: [null],
      checksum: null,
    });
    expect(await pair.sql('target', `SELECT FROM ${name}`)).toEqual([]);
  }
  const completion = await complete(scope);
  expect(completion.complete).toBe(false);
  expect(completion.tables.map((table) => table.name).sort()).toEqual(['changed', 'half', 'unproven']);

  const states = await pair.sql('target', 'SELECT state FROM flexlift.scope ORDER BY scope');
  expect(states).toEqual([{ state: 'dead' }, { state: 'open' }]);
  for (const { name, parts } of await ledger()) if (parts.startsWith('0/')) expect(name).not.toMatch(/^kept/);
  await copyRest(scope);
  await expectEqual('kept', 'kept_split', 'changed', 'unproven', 'half');
  const after = Object.fromEntries((await ledger()).map((row) => [row.name, Number(row.copies)]));
  expect(after['kept']).toBe(1);
  expect(after['changed']).toBe(2);
  await expect(complete(lost)).rejects.toMatchObject({ code: 'SnapshotLost' });
});

test('a writer under the lost scope is ended before the new one opens', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const first = startKeeper();
  const lost = await first.held;
  const writing = pair.session(
    'target',
    async (target) => {
      await target.query('BEGIN');
      await target.query('SELECT FROM flexlift.scope WHERE scope = $1 FOR SHARE', [lost.scope]);
      await target.query('SELECT pg_sleep(60)');
    },
    'flexlift:0123456789ab:copyPart:0000:1',
  );
  const failure = writing.catch((error: unknown) => error);
  await pause(300);
  first.controller.abort(new Error('dead'));
  await startKeeper().held;
  expect(await failure).toMatchObject({ code: 'ServerRestarting' });
});

test('tables that came or went since the plan stop the migration, with their names', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const first = startKeeper();
  await first.held;
  first.controller.abort(new Error('dead'));
  await pair.sql('source', 'CREATE TABLE "new one" (id int)');
  const second = startKeeper();
  expect(await second.ended).toMatchObject({
    code: 'SchemaDrift',
    message: expect.stringContaining('"new one"') as string,
  });
});

test('a keeper that comes when all is copied holds nothing', async () => {
  await pair.both('CREATE TABLE t (id int)');
  const first = startKeeper();
  const scope = await first.held;
  await copyRest(scope);
  await skipLargeObjects(scope);
  expect(await complete(scope)).toEqual({ complete: true, tables: [], largeObjectBatches: [] });
  expect((await complete(scope)).complete).toBe(true);
  first.controller.abort(new Error('done'));
  await first.ended;
  await pair.session('target', async (sequences) => {
    await sequences.query(`SET application_name = 'flexlift:0123456789ab:copySequences'`);
    const source = testEndpoint(14, 'source', KEEPER);
    source.resolvePassword = () => Promise.reject(new Error('the source is not reached any more'));
    const second = startKeeper({ source });
    await eventually('it to find all copied', () => Promise.resolve(second.said.includes('all is copied')));
    expect(await sessionsOnSource()).toEqual([]);
    await sequences.query('SELECT 1');
  });
  expect(await pair.session('target', (client) => currentScope(client, identity))).toBeUndefined();
});

test('a released target takes no scope', async () => {
  await pair.session('target', (target) => releaseLedger(target, identity, {}));
  expect(await startKeeper().ended).toMatchObject({ code: 'LedgerReleased' });
});
