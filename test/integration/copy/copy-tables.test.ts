import type { Client } from 'pg';
import { withConnection, type Side } from '../../../postgres/connect';
import { copyTables, importSnapshot, type Scope, type SmallTable } from '../../../postgres/copy';
import { eventually } from '../../support/eventually';
import { testEndpoint, withSession } from '../../support/servers';
import { TcpProxy } from '../../support/tcp-proxy';
import { identity, never, Pair } from './fixture';

const TABLES = 40;
let pair: Pair;

beforeEach(async () => {
  pair = await Pair.create(14, 17);
  await pair.both(inLoop('CREATE TABLE t%s (id int PRIMARY KEY, v text)'));
  await pair.sql('source', inLoop(`INSERT INTO t%1$s SELECT g, ''v'' || g FROM generate_series(1, %1$s) g`));
});

afterEach(() => pair.drop());

function inLoop(statement: string): string {
  return `DO $$ BEGIN FOR n IN 1 .. ${TABLES} LOOP EXECUTE format('${statement}', n); END LOOP; END $$`;
}

async function planned(scope: Scope): Promise<SmallTable[]> {
  const tables = await pair.plan(scope);
  return tables.map(({ oid, schema, name, estimatedBytes: bytes }) => ({ oid, schema, name, bytes }));
}

async function copies(): Promise<Record<number, number>> {
  const rows = await pair.sql<{ copies: number; tables: number }>(
    'target',
    'SELECT copies, count(*)::int AS tables FROM flexlift.part WHERE copies > 0 GROUP BY copies',
  );
  return Object.fromEntries(rows.map((row) => [row.copies, row.tables]));
}

async function expectAllEqual(): Promise<void> {
  const union = Array.from(
    { length: TABLES },
    (_, index) => `SELECT '${index + 1}', id, v FROM public.t${index + 1}`,
  );
  const { source, target } = await pair.results(`${union.join(' UNION ALL ')} ORDER BY 1, 2`);
  expect(target).toEqual(source);
}

test('what another attempt has copied is passed over, and the amounts are those of now', async () => {
  await pair.withScope(async (scope) => {
    const tables = await planned(scope);
    const [first, ...others] = tables;
    await pair.copyPart(scope, first ?? { oid: 0, schema: '', name: '' }, 1);
    await pair.withSessions(scope, async (source, target) => {
      const copying = { source, target, identity, scope: scope.scope, signal: never };
      expect(await copyTables({ ...copying, tables })).toMatchObject({ tables: others.length });
      expect(await copyTables({ ...copying, tables })).toEqual({ tables: 0, rows: 0, bytes: 0 });
    });
  });
  expect(await copies()).toEqual({ 1: TABLES });
  await expectAllEqual();
});

test('an attempt that is killed among its tables leaves none of them, and the next copies all', async () => {
  const lock = 'pg_advisory_xact_lock(20)';
  await pair.sql(
    'target',
    `CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_catalog.${lock}; RETURN NEW; END';
     CREATE TRIGGER wait BEFORE INSERT ON t20 FOR EACH ROW EXECUTE FUNCTION wait()`,
  );
  await pair.withScope(async (scope) => {
    const tables = await planned(scope);
    const others = tables.filter(({ name }) => name !== 't20');
    const last = tables.filter(({ name }) => name === 't20');
    await withSession(17, pair.databases.target, async (blocker) => {
      await blocker.query(`BEGIN; SELECT ${lock}`);
      await pair.withSessions(scope, async (source, target) => {
        const { rows } = await target.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const said = new Set<string>();
        const copying = copyTables({
          ...{ source, target, identity, scope: scope.scope, signal: never },
          tables: [...others, ...last],
          onProgress: ({ what }) => said.add(what),
        });
        copying.catch(() => undefined);
        await eventually('the copy to wait', async () => {
          const waiting = await pair.sql(
            'target',
            `SELECT FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND pid = $1`,
            [rows[0]?.pid],
          );
          return waiting.length > 0;
        });
        expect(said.size).toBeGreaterThan(others.length / 2);
        await blocker.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
        await expect(copying).rejects.toMatchObject({
          fields: { side: 'target', object: '"public"."t20"' },
          failureClass: 'transient',
        });
      });
      await blocker.query('ROLLBACK');
    });
    expect(await copies()).toEqual({});
    await pair.withSessions(scope, async (source, target) => {
      const copying = { source, target, identity, scope: scope.scope, signal: never };
      expect(await copyTables({ ...copying, tables })).toMatchObject({ tables: TABLES });
    });
  });
  expect(await copies()).toEqual({ 1: TABLES });
  await expectAllEqual();
});

test('a scope that was given up takes no table any more', async () => {
  await pair.withScope(async (scope) => {
    const tables = await planned(scope);
    await pair.sql('target', `UPDATE flexlift.scope SET state = 'dead'`);
    await pair.withSessions(scope, async (source, target) => {
      const copying = copyTables({ source, target, identity, scope: scope.scope, tables, signal: never });
      await expect(copying).rejects.toMatchObject({ code: 'SnapshotLost' });
    });
  });
  expect(await copies()).toEqual({});
});

test('many small tables take hardly more round trips than one', async () => {
  const proxies = { source: await proxyTo('source'), target: await proxyTo('target') };
  const through = <T>(side: Side, work: (client: Client) => Promise<T>) => {
    const endpoint = testEndpoint(pair.majors[side], side);
    const address = { ...endpoint.address, host: '127.0.0.1', port: proxies[side].port };
    return withConnection({ ...endpoint, address }, pair.databases[side], never, work);
  };
  try {
    await pair.withScope(async (scope) => {
      const tables = await planned(scope);
      await through('source', (source) =>
        through('target', async (target) => {
          await importSnapshot(source, scope.snapshot);
          const roundTrips = async (some: SmallTable[]) => {
            const before = proxies.source.roundTrips + proxies.target.roundTrips;
            await copyTables({ source, target, identity, scope: scope.scope, tables: some, signal: never });
            return proxies.source.roundTrips + proxies.target.roundTrips - before;
          };
          const one = await roundTrips(tables.slice(0, 1));
          expect(one).toBeLessThan(20);
          expect(await roundTrips(tables.slice(1))).toBeLessThan(one + 10);
        }),
      );
    });
  } finally {
    await Promise.all([proxies.source.close(), proxies.target.close()]);
  }
  await expectAllEqual();
});

async function proxyTo(side: Side): Promise<TcpProxy> {
  const { host, port } = testEndpoint(pair.majors[side], side).address;
  return await TcpProxy.start({ host, port });
}

test('small tables keep their files where these are empty; what stands in a table is removed first', async () => {
  await pair.sql('target', `INSERT INTO t3 VALUES (99, 'of nobody')`);
  const files = async () =>
    await pair.sql<{ name: string; file: number }>(
      'target',
      `SELECT relname AS name, pg_relation_filenode(oid)::int AS file FROM pg_class WHERE relname ~ '^t[0-9]+$'`,
    );
  const before = await files();
  await pair.withScope(async (scope) => {
    const tables = await planned(scope);
    await pair.withSessions(scope, (source, target) =>
      copyTables({ source, target, identity, scope: scope.scope, signal: never, tables }),
    );
  });
  const kept = new Set(before.map(({ file }) => file));
  const renewed = (await files()).filter(({ file }) => !kept.has(file));
  expect(renewed.map(({ name }) => name)).toEqual(['t3']);
  await expectAllEqual();
});

test('a table of others that is locked holds up no small one', async () => {
  await pair.sql('target', 'CREATE TABLE other ()');
  await withSession(17, pair.databases.target, async (blocker) => {
    await blocker.query('BEGIN; LOCK TABLE other');
    await pair.withScope(async (scope) => {
      const tables = await planned(scope);
      await pair.withSessions(scope, async (source, target) => {
        // the plan of a larger catalog: all of it is read
        await target.query('SET enable_nestloop = off; SET enable_indexscan = off; SET lock_timeout = 2000');
        await copyTables({ source, target, identity, scope: scope.scope, signal: never, tables });
      });
    });
    await blocker.query('ROLLBACK');
  });
  await expectAllEqual();
});
