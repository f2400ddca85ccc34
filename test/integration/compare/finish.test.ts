import { createServer, type AddressInfo } from 'node:net';
import type { Client } from 'pg';
import {
  analyzeDatabase,
  compareMaterializedViews,
  compareSequences,
  copySequences,
  readMaterializedViews,
  readSequences,
  refreshMaterializedViews,
} from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import { createLedger, releaseLedger } from '../../../postgres/ledger';
import { itInAll } from '../../support/all';
import { createTestDatabase, dropTestDatabase, testEndpoint } from '../../support/servers';

const { signal } = new AbortController();
const identity = { migrationId: 'aaaabbbbcccc', generation: 1 };

const SCHEMA = `
  CREATE SCHEMA "S ""x"".🙂";
  CREATE SEQUENCE "S ""x"".🙂"."Odd
name" INCREMENT -2 MINVALUE -100 MAXVALUE 100 START 50;
  CREATE SEQUENCE public.never MINVALUE 671;
  CREATE SEQUENCE public.set_only;
  CREATE TABLE public.t (id serial PRIMARY KEY, other bigint GENERATED ALWAYS AS IDENTITY, v int);
  CREATE TABLE public.tree (id int) PARTITION BY RANGE (id);
  CREATE TABLE public.leaf PARTITION OF public.tree DEFAULT;
  CREATE MATERIALIZED VIEW public.z_first AS SELECT v, pg_catalog.count(*) AS n FROM public.t GROUP BY v WITH NO DATA;
  CREATE VIEW public.between AS SELECT n FROM public.z_first;
  CREATE MATERIALIZED VIEW public.a_second AS SELECT pg_catalog.sum(n) AS total FROM public.between WITH NO DATA;
  CREATE MATERIALIZED VIEW public.empty AS SELECT 1 AS one WITH NO DATA;
  CREATE MATERIALIZED VIEW public."at now" AS SELECT pg_catalog.now() AS moment WITH NO DATA;
  CREATE MATERIALIZED VIEW public.today AS SELECT CURRENT_TIMESTAMP AS moment WITH NO DATA;`;

/** It takes connections and says nothing. */
async function withServer(work: (port: number) => Promise<void>): Promise<void> {
  const server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await work((server.address() as AddressInfo).port);
  } finally {
    server.close();
  }
}

describe('sequences, materialized views, statistics: 11 to 18', () => {
  let databases: [string, string];
  beforeEach(async () => {
    databases = [await createTestDatabase(11, 'cmp_finish'), await createTestDatabase(18, 'cmp_finish')];
    await both(async (source, target) => {
      for (const client of [source, target]) await client.query(SCHEMA);
      await source.query(`
        SELECT pg_catalog.nextval('"S ""x"".🙂"."Odd
name"'), pg_catalog.nextval('"S ""x"".🙂"."Odd
name"'), pg_catalog.setval('public.set_only', 77, false);`);
      for (const client of [source, target]) {
        await client.query(`INSERT INTO public.t (v) SELECT n % 3 FROM pg_catalog.generate_series(1, 10) n`);
      }
      await source.query(`INSERT INTO public.t (v) VALUES (1); DELETE FROM public.t WHERE id > 10`);
      await source.query(`REFRESH MATERIALIZED VIEW public.z_first; REFRESH MATERIALIZED VIEW public.a_second;
        REFRESH MATERIALIZED VIEW public."at now"; REFRESH MATERIALIZED VIEW public.today`);
      await createLedger(target, identity, { databaseCreated: true });
    });
  });
  afterEach(async () => {
    await dropTestDatabase(11, databases[0]);
    await dropTestDatabase(18, databases[1]);
  });

  function both<T>(work: (source: Client, target: Client) => Promise<T>): Promise<T> {
    // as a target, for the tests write on both
    return withConnection(testEndpoint(11, 'target'), databases[0], signal, (source) =>
      withConnection(testEndpoint(18, 'target'), databases[1], signal, (target) => work(source, target)),
    );
  }

  test('sequences are copied once, and a difference is named with its direction', () =>
    both(async (source, target) => {
      const compare = async () =>
        compareSequences(await readSequences(source, signal), await readSequences(target, signal));
      const behind = (await compare()).map(({ object, message }) => [
        object,
        / (behind|ahead) /.exec(message)?.[1],
      ]);
      expect(behind).toEqual([
        ['"S ""x"".🙂"."Odd\nname"', 'behind'],
        ['"public"."set_only"', 'behind'],
        ['"public"."t_id_seq"', 'behind'],
        ['"public"."t_other_seq"', 'behind'],
      ]);
      expect(await copySequences({ source, target, identity, signal })).toBe(5);
      expect(await compare()).toEqual([]);
      const next = await target.query(
        `SELECT pg_catalog.nextval('public.never') AS n, pg_catalog.nextval('public.set_only') AS s`,
      );
      expect(next.rows).toEqual([{ n: '671', s: '77' }]);

      // a late attempt rewinds nothing
      expect(await copySequences({ source, target, identity, signal })).toBe(0);
      expect((await compare()).map((difference) => difference.message)).toEqual([
        'The sequence is ahead on the target: source 671 (not called), target 671.',
        'The sequence is ahead on the target: source 77 (not called), target 77.',
      ]);
      await target.query(
        `ALTER SEQUENCE public.never CYCLE; DROP SEQUENCE public.set_only; CREATE SEQUENCE public.extra`,
      );
      expect((await compare()).map(({ object, message }) => `${object} ${message}`)).toEqual([
        expect.stringMatching(/"never" The sequence's parameters differ: .* CYCLE\.$/),
        expect.stringContaining('"never" The sequence is ahead'),
        '"public"."set_only" The sequence is missing on the target.',
        '"public"."extra" The sequence exists on the target only.',
      ]);
    }));

  test('nothing is set after the release', () =>
    both(async (source, target) => {
      await releaseLedger(target, identity, {});
      await expect(copySequences({ source, target, identity, signal })).rejects.toMatchObject({
        code: 'LedgerReleased',
      });
      await expect(refreshMaterializedViews({ source, target, identity, signal })).rejects.toMatchObject({
        code: 'LedgerReleased',
      });
      expect(
        (await readSequences(target, signal)).find(({ name }) => name.includes('set_only'))?.lastValue,
      ).toBe('1');
    }));

  test('materialized views are refreshed in order, once, and compared', () =>
    both(async (source, target) => {
      const views = await readMaterializedViews(source);
      const order = views.filter(({ populated }) => populated).map(({ quotedName }) => quotedName);
      expect([...order].sort()).toEqual([
        '"public"."a_second"',
        '"public"."at now"',
        '"public"."today"',
        '"public"."z_first"',
      ]);
      expect(order.indexOf('"public"."z_first"')).toBeLessThan(order.indexOf('"public"."a_second"'));

      const compare = () => compareMaterializedViews({ source, target, signal });
      expect((await compare()).differences.map(({ object }) => object)).toEqual(order);
      expect(await refreshMaterializedViews({ source, target, identity, signal })).toEqual({
        refreshed: 4,
        filled: 4,
      });
      expect(await refreshMaterializedViews({ source, target, identity, signal })).toEqual({
        refreshed: 0,
        filled: 4,
      });
      const moving = ['"public"."at now"', '"public"."today"'];
      expect(await compare()).toEqual({ differences: [], notComparable: moving });

      // stale on the source, fresh on the target
      for (const client of [source, target]) await client.query(`INSERT INTO public.t (v) VALUES (5)`);
      await target.query(`REFRESH MATERIALIZED VIEW public.z_first`);
      expect(await compare()).toEqual({ differences: [], notComparable: moving });

      await target.query(`DELETE FROM public.t WHERE v = 5; INSERT INTO public.t (v) VALUES (6), (7);
        REFRESH MATERIALIZED VIEW public.z_first; REFRESH MATERIALIZED VIEW public.a_second WITH NO DATA`);
      expect((await compare()).differences).toEqual([
        {
          kind: 'materialized-view',
          object: '"public"."z_first"',
          message: expect.stringContaining('Its rows differ') as string,
        },
        {
          kind: 'materialized-view',
          object: '"public"."a_second"',
          message: 'It is populated on the source and not on the target.',
        },
      ]);
    }));

  test('a view that is emptied on the source is emptied by the next cutover', () =>
    both(async (source, target) => {
      expect(await refreshMaterializedViews({ source, target, identity, signal })).toEqual({
        refreshed: 4,
        filled: 4,
      });
      await source.query('REFRESH MATERIALIZED VIEW public.today WITH NO DATA');
      await target.query(`DELETE FROM flexlift.step WHERE kind = 'refresh'`);
      expect(await refreshMaterializedViews({ source, target, identity, signal })).toEqual({
        refreshed: 4,
        filled: 3,
      });
      const { differences } = await compareMaterializedViews({ source, target, signal });
      expect(differences).toEqual([]);
    }));

  test('rows that may differ are no difference: other values, by the order of rows, the time or the server', () =>
    both(async (source, target) => {
      for (const client of [source, target]) {
        await client.query(`
          CREATE VIEW public.aged AS SELECT id, pg_catalog.clock_timestamp() - TIMESTAMPTZ '2020-01-01' AS age FROM public.t;
          CREATE VIEW public.over_aged AS SELECT id FROM public.aged WHERE age < INTERVAL '1 second';
          CREATE FUNCTION public.is_early(timestamptz) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 > pg_catalog.now()';
          CREATE MATERIALIZED VIEW public.ordered AS SELECT pg_catalog.string_agg(id::text, ',') FROM public.t WITH NO DATA;
          CREATE MATERIALIZED VIEW public.through AS SELECT id FROM public.over_aged WITH NO DATA;
          CREATE MATERIALIZED VIEW public.by_function AS SELECT id FROM public.t WHERE public.is_early('2020-01-01') WITH NO DATA;
          CREATE MATERIALIZED VIEW public.servers AS SELECT relname FROM pg_catalog.pg_class WITH NO DATA;
          CREATE MATERIALIZED VIEW public.plain AS SELECT id FROM public.t WITH NO DATA`);
      }
      const names = ['ordered', 'through', 'by_function', 'servers', 'plain'];
      for (const client of [source, target]) {
        for (const name of names) await client.query(`REFRESH MATERIALIZED VIEW public.${name}`);
      }
      // as rows that lie in another order, another time and another server give them
      await target.query(`
        UPDATE public.t SET v = v WHERE id = 1; REFRESH MATERIALIZED VIEW public.ordered;
        CREATE OR REPLACE VIEW public.over_aged AS SELECT id FROM public.aged; REFRESH MATERIALIZED VIEW public.through;
        CREATE OR REPLACE FUNCTION public.is_early(timestamptz) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT true';
        REFRESH MATERIALIZED VIEW public.by_function; INSERT INTO public.t (id, v) VALUES (-1, 1);
        REFRESH MATERIALIZED VIEW public.plain`);
      const { differences, notComparable } = await compareMaterializedViews({ source, target, signal });
      expect(notComparable).toEqual(
        expect.arrayContaining(
          ['ordered', 'through', 'by_function', 'servers'].map((name) => `"public"."${name}"`),
        ),
      );
      expect(differences.map(({ object }) => object)).toContain('"public"."plain"');
    }));

  test('a later run refreshes under an event trigger that the run before has created', () =>
    both(async (source, target) => {
      await target.query(`
        CREATE FUNCTION public.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
        CREATE EVENT TRIGGER refuse ON ddl_command_start EXECUTE FUNCTION public.refuse()`);
      expect(await refreshMaterializedViews({ source, target, identity, signal })).toEqual({
        refreshed: 4,
        filled: 4,
      });
    }));

  test('a view whose owner policies bind on the source is refreshed after the others, under them', () =>
    both(async (source, target) => {
      const bound = `flx_finish_${databases[0].slice(-8)}`;
      for (const client of [source, target]) {
        await client.query(`
          CREATE ROLE ${bound};
          CREATE VIEW public.plain AS SELECT * FROM public.t;
          CREATE MATERIALIZED VIEW public.its AS SELECT pg_catalog.count(*) AS n FROM public.plain WITH NO DATA;
          CREATE MATERIALIZED VIEW public.above AS SELECT n FROM public.its WITH NO DATA;
          ALTER VIEW public.plain OWNER TO ${bound};
          GRANT SELECT ON public.t, public.its TO ${bound};
          CREATE POLICY few ON public.t USING (id <= 3);
          ALTER TABLE public.t ENABLE ROW LEVEL SECURITY`);
      }
      await source.query(`SET row_security = on; REFRESH MATERIALIZED VIEW public.its;
        REFRESH MATERIALIZED VIEW public.above`);
      const refresh = (beforeRowSecurity: boolean) =>
        refreshMaterializedViews({ source, target, identity, beforeRowSecurity, signal });
      expect(await refresh(true)).toEqual({ refreshed: 4, filled: 4 });
      expect(await refresh(false)).toEqual({ refreshed: 2, filled: 6 });
      expect((await target.query('SELECT n FROM public.above')).rows).toEqual([{ n: '3' }]);
      // out of date on the source, and we would evaluate its query without the policies
      for (const client of [source, target])
        await client.query('INSERT INTO public.t (id, v) VALUES (-1, 1)');
      await target.query('SET row_security = on; REFRESH MATERIALIZED VIEW public.its');
      const { differences, notComparable } = await compareMaterializedViews({ source, target, signal });
      expect(differences.map(({ object }) => object)).not.toContain('"public"."its"');
      expect(notComparable).toContain('"public"."its"');
      for (const client of [source, target]) {
        await client.query(`DROP OWNED BY ${bound} CASCADE; DROP ROLE ${bound}`);
      }
    }));

  test('every table is analyzed once, and every materialized view when it is filled', () =>
    both(async (source, target) => {
      const progress: string[] = [];
      const analyze = () =>
        analyzeDatabase({ clients: [target], identity, signal, onProgress: (what) => progress.push(what) });
      expect(await analyze()).toEqual({ analyzed: 2, left: [] });
      await refreshMaterializedViews({ source, target, identity, signal });
      expect(await analyze()).toEqual({ analyzed: 4, left: [] });
      expect(await analyze()).toEqual({ analyzed: 0, left: [] });
      expect(progress).toEqual([
        ...['ANALYZE 1 to 1 of 2 tables', 'ANALYZE 2 to 2 of 2 tables'],
        'ANALYZE 1 to 4 of 4 tables',
      ]);
      const { rows } = await target.query(
        `SELECT relname, reltuples FROM pg_catalog.pg_class WHERE relname IN ('t', 'leaf') ORDER BY relname`,
      );
      expect(rows).toEqual([
        { relname: 'leaf', reltuples: 0 },
        { relname: 't', reltuples: 10 },
      ]);
    }));

  test('several sessions share the tables; one that fails ends the call, and the next does the rest', () =>
    both((_source, first) =>
      both(async (_again, second) => {
        await first.query(`DO $$ BEGIN FOR n IN 1..350 LOOP EXECUTE 'CREATE TABLE public.shared_' || n || ' (a int)';
                                       END LOOP; END $$`);
        await first.query('SET application_name = first');
        await second.query('SET application_name = second; SET default_transaction_read_only = on');
        const analyze = () => analyzeDatabase({ clients: [first, second], identity, signal });
        await expect(analyze()).rejects.toThrow('read-only');
        await second.query('SET default_transaction_read_only = off');
        const { analyzed } = await analyze();
        expect(analyzed).toBeGreaterThan(0);
        expect(await analyze()).toEqual({ analyzed: 0, left: [] });
        const { rows } = await first.query<{ done_by: string; tables: number }>(
          `SELECT done_by, count(*)::int AS tables FROM flexlift.step WHERE kind = 'analyze' GROUP BY 1 ORDER BY 1`,
        );
        expect(rows.map((row) => row.done_by)).toEqual(['first', 'second']);
        expect(rows.reduce((sum, row) => sum + row.tables, 0)).toBe(352);
      }),
    ));

  test('a table that cannot be analyzed is noted and gone past', () =>
    withServer((port) =>
      both(async (_source, target) => {
        await target.query(`
          CREATE EXTENSION postgres_fdw SCHEMA public;
          CREATE SERVER closed FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1');
          CREATE SERVER silent FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '${port}');
          CREATE USER MAPPING FOR PUBLIC SERVER closed;
          CREATE USER MAPPING FOR PUBLIC SERVER silent;
          CREATE TABLE public.far (id int) PARTITION BY LIST (id);
          CREATE TABLE public.near PARTITION OF public.far FOR VALUES IN (1);
          CREATE FOREIGN TABLE public.far_away PARTITION OF public.far FOR VALUES IN (2) SERVER closed;
          CREATE TABLE public.parent (id int);
          CREATE FOREIGN TABLE public.child () INHERITS (public.parent) SERVER silent;
          INSERT INTO public.near VALUES (1), (1);
          CREATE TABLE public.thrown (v int);
          CREATE FUNCTION public.throw(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
            $$BEGIN IF $1 = 1 AND pg_catalog.current_setting('x.throw', true) = 'on' THEN RAISE 'thrown'; END IF; RETURN $1; END$$;
          INSERT INTO public.thrown VALUES (1);
          CREATE INDEX ON public.thrown (public.throw(v));
          CREATE TABLE public.crowded (v int);
          CREATE FUNCTION public.crowd(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
            $$BEGIN IF pg_catalog.current_setting('x.throw', true) = 'on' THEN RAISE USING ERRCODE = '53200', HINT = 'max_locks_per_transaction'; END IF; RETURN $1; END$$;
          INSERT INTO public.crowded VALUES (1);
          CREATE INDEX ON public.crowded (public.crowd(v));
          SET x.throw = 'on'`);
        const analyze = () => analyzeDatabase({ clients: [target], identity, signal, foreignTimeout: 500 });
        const { analyzed, left } = await analyze();
        expect(left.map(({ object, sqlState }) => [object, sqlState])).toEqual([
          ['"public"."crowded"', '53200'],
          ['"public"."far"', '08001'],
          ['"public"."parent"', '57014'],
          ['"public"."thrown"', 'P0001'],
        ]);
        expect(analyzed).toBe(3);
        expect(await analyze()).toEqual({ analyzed: 0, left });
        const { rows } = await target.query(
          `SELECT relname, reltuples FROM pg_catalog.pg_class WHERE relname IN ('t', 'near') ORDER BY relname`,
        );
        expect(rows).toEqual([
          { relname: 'near', reltuples: 2 },
          { relname: 't', reltuples: 10 },
        ]);
      }),
    ));

  test('a table above foreign ones does not wait for its partitions while they are analyzed', () =>
    both((_source, first) =>
      both(async (_again, second) => {
        const { host, port, user, database } = first;
        await first.query(`
          CREATE EXTENSION postgres_fdw SCHEMA public;
          CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '${host}', port '${port}', dbname '${database}');
          CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user '${user}');
          CREATE TABLE public.far (id int) PARTITION BY LIST (id);
          CREATE TABLE public.near PARTITION OF public.far FOR VALUES IN (1);
          CREATE FOREIGN TABLE public.away PARTITION OF public.far FOR VALUES IN (2) SERVER loop OPTIONS (table_name 't');
          INSERT INTO public.near VALUES (1)`);
        await both(async (_other, writer) => {
          await writer.query('BEGIN; LOCK TABLE public.near IN SHARE UPDATE EXCLUSIVE MODE');
          const analyzed = analyzeDatabase({
            clients: [first, second],
            identity,
            signal,
            foreignTimeout: 500,
          });
          await new Promise((resolve) => setTimeout(resolve, 2_000));
          await writer.query('COMMIT');
          expect(await analyzed).toEqual({ analyzed: 4, left: [] });
        });
      }),
    ));

  itInAll('3,000 sequences are a few commits', () =>
    both(async (source, target) => {
      const create = `DO $$ BEGIN FOR n IN 1..3000 LOOP EXECUTE 'CREATE SEQUENCE public.many_' || n; END LOOP; END $$`;
      for (const client of [source, target]) await client.query(create);
      await source.query(
        `SELECT pg_catalog.setval(c.oid::pg_catalog.regclass, 5) FROM pg_catalog.pg_class c WHERE relname LIKE 'many%'`,
      );
      expect(await copySequences({ source, target, identity, signal })).toBe(3005);
      const { rows } = await target.query(
        `SELECT pg_catalog.count(DISTINCT done_at)::int AS commits FROM flexlift.step WHERE kind = 'sequence'`,
      );
      expect(rows).toEqual([{ commits: 7 }]);
      expect(
        compareSequences(await readSequences(source, signal), await readSequences(target, signal)),
      ).toEqual([]);
    }),
  );
});
