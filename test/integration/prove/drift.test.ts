import type { Client } from 'pg';
import { readCatalog } from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import { inSnapshot } from '../../../postgres/ledger';
import {
  acceptDrift,
  catalogAtDump,
  catalogMark,
  DriftWatch,
  driftSince,
  driftToAccept,
  storeCatalog,
} from '../../../postgres/prove';
import { driftBetween } from '../../../postgres/prove/drift/drift-since';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';

const { signal } = new AbortController();
const SCHEMA = `
  CREATE TYPE public.mood AS ENUM ('a', 'b');
  CREATE TABLE public.t (id int PRIMARY KEY, v int, body text, m public.mood);
  CREATE TABLE public."Old ""x"" 🐘" (k int PRIMARY KEY, body text);
  CREATE TABLE public.parent (d int) PARTITION BY RANGE (d);
  CREATE TABLE public.child PARTITION OF public.parent FOR VALUES FROM (0) TO (10);
  CREATE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
  CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
  CREATE VIEW public.seen AS SELECT id, count(*) AS n FROM public.t GROUP BY id;
  CREATE SEQUENCE public.numbers`;
const SINCE = 'on the source since the schema was dumped';

/** One change of the source, and the object and the words it is reported with; nothing else may be. */
const CHANGES: [string, ...[string, string | RegExp][]][] = [
  ['ALTER TABLE public.t ADD added int', ['column "public"."t"."added"', `The column was added ${SINCE}.`]],
  ['ALTER TABLE public.t DROP v', ['column "public"."t"."v"', `The column was dropped or renamed ${SINCE}.`]],
  [
    'ALTER TABLE public.t RENAME v TO w',
    [
      'column "public"."t"."v"',
      `The column was renamed to column "public"."t"."w", or replaced by it, ${SINCE}.`,
    ],
  ],
  [
    'ALTER TABLE public.t ALTER v TYPE bigint',
    ['column "public"."t"."v"', `The column was changed ${SINCE}: type: was 'integer', is 'bigint'.`],
  ],
  ['ALTER TABLE public.t ALTER v SET DEFAULT 7', ['column "public"."t"."v"', /default: was nothing, is '7'/]],
  [
    'CREATE TABLE public.fresh (id int PRIMARY KEY)',
    ['index "public"."fresh_pkey"', /added/],
    ['table "public"."fresh"', `The table was added ${SINCE}.`],
  ],
  ['CREATE TABLE public.child2 PARTITION OF public.parent DEFAULT', ['table "public"."child2"', /added/]],
  ['ALTER TABLE public.parent DETACH PARTITION public.child', ['table "public"."child"', /partition bound/]],
  [
    'DROP TABLE public."Old ""x"" 🐘"',
    ['index "public"."Old ""x"" 🐘_pkey"', /dropped/],
    ['table "public"."Old ""x"" 🐘"', /The table was dropped or renamed/],
  ],
  [
    'ALTER TABLE public."Old ""x"" 🐘" RENAME TO new',
    ['index "public"."Old ""x"" 🐘_pkey"', /definition/],
    [
      'table "public"."Old ""x"" 🐘"',
      `The table was renamed to table "public"."new", or replaced by it, ${SINCE}.`,
    ],
  ],
  ['CREATE INDEX by_v ON public.t (v)', ['index "public"."by_v"', `The index was added ${SINCE}.`]],
  [
    `CREATE OR REPLACE FUNCTION public.f(int) RETURNS int LANGUAGE sql AS 'SELECT 2'`,
    ['function "public"."f"(integer)', /The function was changed .* body: was 'SELECT 1', is 'SELECT 2'/],
  ],
  [`ALTER TYPE public.mood ADD VALUE 'c'`, ['type "public"."mood"', /labels/]],
  ['ALTER TABLE public.t REPLICA IDENTITY FULL', ['table "public"."t"', /replica identity/]],
  ['GRANT SELECT ON public.t TO PUBLIC', ['privileges of table "public"."t"', /^It was changed/]],
  [`COMMENT ON COLUMN public.t.v IS 'x'`, ['comment on table column public.t.v', /^It was added/]],
  ['ALTER TABLE public.t ENABLE ROW LEVEL SECURITY', ['table "public"."t"', /row security/]],
  ['CREATE RULE r AS ON DELETE TO public.t DO NOTHING', ['rule "r" on "public"."t"', /added/]],
  ['ALTER SEQUENCE public.numbers INCREMENT 5', ['sequence "public"."numbers"', /increment/]],
];

describe.each([
  [15, 17],
  [11, 18],
  [14, 11],
] as const)('drift, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;

  async function setUp(): Promise<void> {
    fixture = await ReplicationFixture.create(source, target, SCHEMA);
    await both((onSource, onTarget) =>
      readCatalog(onSource).then((catalog) => storeCatalog(onTarget, fixture.identity, catalog)),
    );
  }

  const both = <T>(work: (source: Client, target: Client) => Promise<T>) =>
    withConnection(testEndpoint(source, 'source'), fixture.database, signal, (onSource) =>
      withConnection(testEndpoint(target, 'target'), fixture.database, signal, (onTarget) =>
        work(onSource, onTarget),
      ),
    );
  const drift = () =>
    both(async (onSource, onTarget) => {
      const dumped = await catalogAtDump(onTarget);
      if (dumped === undefined) throw new Error('none stored');
      return await driftSince({ source: onSource, dumped });
    });
  const accept = (order?: string) =>
    both(async (onSource, onTarget) => {
      const found = await inSnapshot(onSource, () => driftToAccept({ source: onSource, target: onTarget }));
      const { identity } = fixture;
      const alsoFollow = () => Promise.resolve();
      if (found.inTheWay.length === 0)
        await acceptDrift({ target: onTarget, identity, drift: found, order, alsoFollow });
      return found.inTheWay;
    });

  async function proven(...tables: string[]): Promise<void> {
    for (const table of tables) {
      await fixture.target.query(
        `INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum) VALUES ($1, '0/1', 1, '1')`,
        [await fixture.oidOf(table)],
      );
    }
  }

  async function stillProven(): Promise<string[]> {
    const { rows } = await fixture.target.query<{ table_name: string }>(
      'SELECT table_name FROM flexlift.proof JOIN flexlift.table_load USING (table_oid) ORDER BY table_name COLLATE "C"',
    );
    return rows.map((row) => row.table_name);
  }

  describe('each change is named, once, and moves the mark', () => {
    beforeAll(setUp);
    afterAll(() => fixture.drop());

    test.each(CHANGES.filter(([sql]) => source >= 12 || !sql.includes('ADD VALUE')))(
      '%s',
      (sql, ...expected) =>
        both((_, onTarget) =>
          // as somebody who may write there
          withConnection(testEndpoint(source, 'target'), fixture.database, signal, async (writer) => {
            const dumped = await catalogAtDump(onTarget);
            if (dumped === undefined) throw new Error('none stored');
            const mark = await catalogMark(writer);
            await writer.query(`BEGIN; ${sql}`);
            const found = driftBetween(dumped, await readCatalog(writer));
            expect(found).toEqual(
              expected.map(([object, message]) => ({
                kind: 'catalog',
                object,
                message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
              })),
            );
            expect(await catalogMark(writer)).not.toBe(mark);
            await writer.query('ROLLBACK');
            expect(await catalogMark(writer)).toBe(mark);
          }),
        ),
    );
  });

  describe('the whole way', () => {
    beforeEach(setUp);
    afterEach(() => fixture.drop());

    test('what is no drift: data, vacuum, temporary tables, sequences, our own things, the fence', async () => {
      const { source: writer, identity, database } = fixture;
      const name = `flexlift_${identity.migrationId}`;
      const mark = () => both((onSource) => catalogMark(onSource));
      const before = await mark();
      await writer.query('INSERT INTO public.t SELECT n FROM generate_series(1, 1000) n');
      await writer.query('VACUUM FULL public.t');
      await writer.query('VACUUM ANALYZE public.t');
      await writer.query('TRUNCATE public.t');
      await writer.query(`SELECT nextval('public.numbers')`);
      await writer.query(
        `CREATE ROLE "${name}"; COMMENT ON ROLE "${name}" IS 'of others'; DROP ROLE "${name}"`,
      );
      await writer.query(
        'CREATE TEMPORARY TABLE passing (id serial PRIMARY KEY, body text CHECK (body > $$a$$))',
      );
      await writer.query(
        `CREATE PUBLICATION ${name}_fence; COMMENT ON PUBLICATION ${name}_fence IS '{}';
         ALTER DATABASE "${database}" SET default_transaction_read_only = on;
         REVOKE CONNECT ON DATABASE "${database}" FROM PUBLIC`,
      );
      expect(await mark()).toBe(before);
      await writer.query(`REINDEX TABLE public.t; CREATE TABLE ${name}.more (id int)`);
      expect(await drift()).toEqual([]);
    });

    test('a watch reads the catalog only where something changed', () =>
      both(async (onSource, onTarget) => {
        const dumped = await catalogAtDump(onTarget);
        if (dumped === undefined) throw new Error('none stored');
        const watch = new DriftWatch(dumped);
        expect(await watch.look(onSource)).toEqual([]);
        const query = jest.spyOn(onSource, 'query');
        expect(await watch.look(onSource)).toEqual([]);
        expect(query.mock.calls.length).toBeLessThan(3);
        await fixture.source.query('ALTER TABLE public.t ADD added int');
        expect(await watch.look(onSource)).toMatchObject([{ object: 'column "public"."t"."added"' }]);
        await fixture.source.query('ALTER TABLE public.t DROP added');
        expect(await watch.look(onSource)).toEqual([]);
      }));

    test('is accepted where the target has the same; proofs of what changed are forgotten', async () => {
      const change = `ALTER TABLE public.t ADD added int DEFAULT 3; ALTER TABLE public.t RENAME v TO w`;
      await proven('public.t', 'public.child', 'public."Old ""x"" 🐘"');
      await fixture.source.query(`${change}; CREATE INDEX by_w ON public.t (w)`);
      expect(await drift()).toHaveLength(3);
      const refused = await accept();
      expect(refused.map(({ object }) => object)).toEqual([
        'column "public"."t"."added"',
        'column "public"."t"."v"',
        'column "public"."t"."w"',
        'index "public"."by_w"',
      ]);
      expect(refused[0]?.message).toBe(
        'It is missing on the target. Make the same change on the target, then: flexlift resume --accept-drift.',
      );
      expect(await drift()).toHaveLength(3);

      await fixture.target.query(`UPDATE flexlift.stream SET drift = '[{"kind": "catalog"}]'; ${change}`);
      // the cutover would find that it is missing, and does not make it
      expect(await accept()).toMatchObject([{ object: 'index "public"."by_w"' }]);
      await fixture.target.query('CREATE INDEX by_w ON public.t (id)');
      expect(await accept()).toEqual([]);
      expect(await drift()).toEqual([]);
      const { rows } = await fixture.target.query('SELECT drift FROM flexlift.stream');
      expect(rows).toEqual([{ drift: [] }]);
      expect(await stillProven()).toEqual(['Old "x" 🐘', 'child']);
    });

    test('what a load makes is not asked for before its end; what the cutover makes never is', async () => {
      await fixture.source
        .query(`CREATE TRIGGER late BEFORE TRUNCATE ON public.t EXECUTE PROCEDURE public.late();
        ALTER TABLE public.child ADD CONSTRAINT late CHECK (d > 1) NOT VALID; CREATE RULE late AS ON INSERT TO public.t DO ALSO NOTIFY x;
        ALTER TABLE public.t ADD CONSTRAINT to_itself FOREIGN KEY (v) REFERENCES public.t;
        ALTER TABLE public.t ENABLE ROW LEVEL SECURITY; CREATE POLICY late ON public.t; GRANT SELECT ON public.t TO PUBLIC;
        COMMENT ON TRIGGER late ON public.t IS 'x'`);
      expect(await accept()).toEqual([]);
      await fixture.source.query('CREATE INDEX by_v ON public.t (v)');
      await fixture.source.query('ALTER TABLE public.t ADD CONSTRAINT one UNIQUE (v)');
      const refused = await accept();
      expect(refused.map(({ object }) => object)).toEqual([
        'constraint "one" on "public"."t"',
        'index "public"."by_v"',
        'index "public"."one"',
      ]);
      await fixture.target.query(`DELETE FROM flexlift.step WHERE kind = 'phase' AND key = 'load'`);
      expect(await accept()).toEqual([]);
    });

    test('parts by a column that is gone become one, and an order is carried out once', async () => {
      const oid = await fixture.oidOf('public.t');
      await fixture.target.query(
        `UPDATE flexlift.table_load SET parts = 2, range_column = 'v' WHERE table_oid = ${oid};
         UPDATE flexlift.part SET range_to = '5', rows = 2, bytes = 20, seconds = 1 WHERE table_oid = ${oid};
         INSERT INTO flexlift.part (table_oid, part, range_from, rows, bytes, seconds, copies, copied_at)
              VALUES (${oid}, 2, '5', 3, 30, 1, 1, now())`,
      );
      const parts = async () =>
        (
          await fixture.target.query<object>(
            `SELECT part, range_from, range_to, rows::int, parts, range_column
               FROM flexlift.part JOIN flexlift.table_load USING (table_oid) WHERE table_oid = ${oid} ORDER BY part`,
          )
        ).rows;
      expect(await accept('first')).toEqual([]);
      expect(await parts()).toHaveLength(2);
      for (const side of [fixture.source, fixture.target])
        await side.query('ALTER TABLE public.t RENAME v TO w');
      expect(await accept('first')).toEqual([]);
      expect(await parts()).toHaveLength(2);
      expect(await accept('second')).toEqual([]);
      expect(await parts()).toEqual([
        { part: 1, range_from: null, range_to: null, rows: 5, parts: 1, range_column: null },
      ]);
    });

    test('the ledger follows tables that were renamed or dropped on both sides', async () => {
      await proven('public.t', 'public.child', 'public."Old ""x"" 🐘"');
      const change = `ALTER TABLE public."Old ""x"" 🐘" RENAME TO "new'"; DROP TABLE public.parent`;
      await fixture.source.query(change);
      await fixture.target.query(change);
      expect(await accept()).toEqual([]);
      const { rows } = await fixture.target.query<{ table_name: string }>(
        'SELECT table_name FROM flexlift.table_load ORDER BY 1',
      );
      expect(rows.map((row) => row.table_name)).toEqual([`new'`, 't']);
      expect(await stillProven()).toEqual(['t']);
    });

    test('a new table is not accepted, though the target has it: nothing copies its rows', async () => {
      const change = 'CREATE TABLE public.fresh (id int PRIMARY KEY)';
      await fixture.source.query(change);
      await fixture.target.query(change);
      expect(await accept()).toMatchObject([
        {
          object: 'table "public"."fresh"',
          message: expect.stringMatching(
            /neither copied nor replicated.*Drop it.*cancel .* start it again\.$/,
          ) as string,
        },
      ]);
      expect(await drift()).toHaveLength(2);
    });
  });
});
