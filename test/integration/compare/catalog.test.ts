import type { Client } from 'pg';
import { compareCatalogs, leftToTheTarget, readCatalog, type Catalog } from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';
import { SCHEMA_SQL } from './schema-fixture';

const { signal } = new AbortController();
const ROLES = ['cmp_reader', 'cmp_owner'];

async function createDatabase(major: Major): Promise<string> {
  const database = await createTestDatabase(major, 'cmp_catalog');
  await withSession(major, database, async (client) => {
    for (const role of ROLES) {
      // an earlier run that was killed may have left it
      await client.query(
        `DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
      );
    }
    await client.query(SCHEMA_SQL);
  });
  return database;
}

function inDatabase<T>(major: Major, database: string, work: (client: Client) => Promise<T>): Promise<T> {
  return withConnection(testEndpoint(major, 'target'), database, signal, work);
}

/** One change of the target and the objects, and words, in which it must be found; nothing else may be. */
const CHANGES: [string, ...[string, string][]][] = [
  ['CREATE SCHEMA extra', ['schema "extra"', 'target only']],
  ['DROP INDEX sales.by_date', ['index "sales"."by_date"', 'missing']],
  [
    'DROP INDEX sales.by_state; CREATE UNIQUE INDEX by_state ON sales.orders (lower(state), total DESC NULLS LAST) INCLUDE (placed) WHERE total > 11',
    ['index "sales"."by_state"', '11'],
  ],
  [
    `UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'sales.by_date'::pg_catalog.regclass`,
    ['index "sales"."by_date"', 'missing'],
  ],
  [
    "CREATE OR REPLACE FUNCTION sales.label(p sales.pair) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN RETURN p.label || '1.1'; END $$",
    ['function "sales"."label"(sales.pair)', "'1.1'"],
  ],
  [
    'ALTER FUNCTION sales.half(numeric, int) VOLATILE',
    ['function "sales"."half"(numeric, integer)', 'volatility'],
  ],
  [
    'ALTER FUNCTION sales.label(sales.pair) RESET search_path',
    ['function "sales"."label"(sales.pair)', 'settings'],
  ],
  [
    'CREATE OR REPLACE FUNCTION sales.half(n numeric, digits int DEFAULT 3, OUT result numeric) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7 AS $$ SELECT round(n / 2, digits) $$',
    ['function "sales"."half"(numeric, integer)', 'defaults'],
  ],
  [
    "CREATE OR REPLACE VIEW sales.good AS SELECT id, value, credit * 2 AS twice FROM sales.customers WHERE mood = 'ok' AND credit > 101",
    ['view "sales"."good"', '101'],
  ],
  [
    "CREATE OR REPLACE VIEW sales.good AS SELECT id, value, credit * 2 AS twice FROM sales.customers WHERE mood = 'ok' AND id > 100",
    ['view "sales"."good"', 'id'],
  ],
  [
    "CREATE OR REPLACE VIEW sales.good AS SELECT id, value, (credit + 2) * 2 AS twice FROM sales.customers WHERE mood = 'ok' AND credit > 100",
    ['view "sales"."good"', '+'],
  ],
  ['ALTER VIEW sales.counted SET (security_barrier = false)', ['view "sales"."counted"', 'options']],
  ['ALTER SEQUENCE sales.odd MAXVALUE 31', ['sequence "sales"."odd"', 'maximum']],
  ['ALTER SEQUENCE sales.orders_id_seq OWNED BY NONE', ['sequence "sales"."orders_id_seq"', 'owned by']],
  ['COMMENT ON COLUMN sales.orders.total IS NULL', ['comment on table column sales.orders.total', 'missing']],
  [
    "COMMENT ON CONSTRAINT mail_has_at ON sales.customers IS 'why not'",
    ['comment on table constraint mail_has_at on sales.customers', 'not'],
  ],
  [
    'REVOKE SELECT ON sales.orders FROM cmp_reader',
    ['privileges of table "sales"."orders"', 'cmp_reader'],
    ['privileges of column "sales"."orders"."id"', 'missing'],
  ],
  [
    'REVOKE UPDATE (total) ON sales.orders FROM cmp_reader',
    ['privileges of column "sales"."orders"."total"', 'missing'],
  ],
  [
    'REVOKE GRANT OPTION FOR UPDATE (total) ON sales.orders FROM cmp_reader',
    ['privileges of column "sales"."orders"."total"', 'GRANT OPTION'],
  ],
  [
    'GRANT EXECUTE ON FUNCTION sales.half(numeric, int) TO PUBLIC',
    ['privileges of function "sales"."half"(numeric, integer)', 'PUBLIC'],
  ],
  ['REVOKE USAGE ON SCHEMA public FROM PUBLIC', ['privileges of schema "public"', 'privileges: source']],
  ['ALTER TABLE sales.child OWNER TO postgres', ['owner of table "sales"."child"', 'postgres']],
  [
    'ALTER DEFAULT PRIVILEGES IN SCHEMA sales REVOKE SELECT ON TABLES FROM cmp_reader',
    ['default privileges of role "postgres" on tables in schema "sales"', 'missing'],
  ],
  [
    'DROP TRIGGER touch_events ON sales.events',
    ['trigger "touch_events" on "sales"."events"', 'missing'],
    ['trigger "touch_events" on partition "sales"."events_2020"', 'missing'],
    ['trigger "touch_events" on partition "sales"."events_spring"', 'missing'],
  ],
  [
    'ALTER TABLE sales.events_2020 ENABLE ALWAYS TRIGGER touch_events',
    ['trigger "touch_events" on partition "sales"."events_2020"', 'enabled'],
  ],
  ['ALTER TABLE sales.orders DISABLE TRIGGER touch', ['trigger "touch" on "sales"."orders"', 'enabled']],
  ['DROP RULE no_delete ON sales.bare', ['rule "no_delete" on "sales"."bare"', 'missing']],
  ['ALTER POLICY own ON sales.customers USING (credit < 99)', ['policy "own" on "sales"."customers"', '99']],
  ['ALTER POLICY own ON sales.customers TO PUBLIC', ['policy "own" on "sales"."customers"', 'PUBLIC']],
  ['ALTER TABLE sales.customers DISABLE ROW LEVEL SECURITY', ['table "sales"."customers"', 'row security']],
  ['ALTER TABLE sales.customers SET (fillfactor = 71)', ['table "sales"."customers"', 'fillfactor=71']],
  [
    'ALTER TABLE sales.customers ALTER COLUMN made DROP NOT NULL',
    ['column "sales"."customers"."made"', 'not null'],
  ],
  [
    'ALTER TABLE sales.customers ALTER COLUMN made DROP DEFAULT',
    ['column "sales"."customers"."made"', 'default'],
  ],
  [
    `ALTER TABLE sales.customers ALTER COLUMN mood SET DEFAULT 'sad'`,
    ['column "sales"."customers"."mood"', 'sad'],
  ],
  [
    'ALTER TABLE sales.customers ALTER COLUMN value SET STATISTICS 51',
    ['column "sales"."customers"."value"', '51'],
  ],
  [
    'ALTER TABLE sales.customers ALTER COLUMN id SET GENERATED ALWAYS',
    ['column "sales"."customers"."id"', 'identity'],
  ],
  ['ALTER TABLE sales.child ALTER COLUMN b TYPE bigint', ['column "sales"."child"."b"', 'bigint']],
  [
    'ALTER TABLE sales.orders VALIDATE CONSTRAINT state_known',
    ['constraint "state_known" on "sales"."orders"', 'not valid'],
  ],
  [
    'ALTER TABLE sales.orders DROP CONSTRAINT orders_customer_fkey',
    ['constraint "orders_customer_fkey" on "sales"."orders"', 'missing'],
  ],
  ['ALTER TABLE sales.orders REPLICA IDENTITY DEFAULT', ['table "sales"."orders"', 'replica identity']],
  ['ALTER TABLE sales.scratch SET LOGGED', ['table "sales"."scratch"', 'persistence']],
  ['ALTER TABLE sales.orders SET WITHOUT CLUSTER', ['index "sales"."orders_pkey"', 'clustered']],
  [
    `ALTER TYPE sales.mood RENAME VALUE 'sad' TO 'Sad'`,
    ['type "sales"."mood"', 'Sad'],
    ['policy "own" on "sales"."customers"', 'Sad'],
  ],
  [
    'ALTER DOMAIN sales.amount DROP CONSTRAINT positive',
    ['constraint "positive" on domain "sales"."amount"', 'missing'],
  ],
  ['ALTER DOMAIN sales.amount DROP NOT NULL', ['domain "sales"."amount"', 'not null']],
  ['DROP STATISTICS sales.dependent', ['statistics "sales"."dependent"', 'missing']],
  ['DROP CAST (sales.mood AS text)', ['cast (sales.mood AS text)', 'missing']],
  ['ALTER PUBLICATION news DROP TABLE sales.orders', ['publication "news"', 'orders']],
  ['ALTER EVENT TRIGGER watch ENABLE', ['event trigger "watch"', 'enabled']],
  [
    'ALTER TEXT SEARCH CONFIGURATION sales.words ALTER MAPPING FOR asciiword WITH english_stem',
    ['text search configuration "sales"."words"', 'sales.short'],
  ],
  ["ALTER SERVER far OPTIONS (SET port '5433')", ['server "far"', '5433']],
  [
    'DROP USER MAPPING FOR cmp_reader SERVER far',
    ['user mapping for "cmp_reader" on server "far"', 'missing'],
  ],
  [
    'ALTER AGGREGATE sales.product(numeric) RENAME TO factor',
    ['aggregate "sales"."factor"(numeric)', 'target only'],
    ['aggregate "sales"."product"(numeric)', 'missing'],
  ],
];

describe.each([
  [11, 15],
  [14, 17],
  [15, 18],
] as const)('catalog, PostgreSQL %i against %i', (sourceMajor, targetMajor) => {
  const databases: [Major, string][] = [];
  let source: Catalog;
  beforeAll(async () => {
    for (const major of [sourceMajor, targetMajor]) databases.push([major, await createDatabase(major)]);
    source = await inDatabase(sourceMajor, name(0), readCatalog);
  });
  afterAll(async () => {
    for (const [major, database] of databases) {
      await dropTestDatabase(major, database);
      await withSession(major, 'postgres', (client) => client.query(`DROP ROLE ${ROLES.join(', ')}`));
    }
  });
  const name = (index: number) => databases[index]?.[1] ?? '';
  const left = () => ({ ignoredIdentities: leftToTheTarget(source) });

  test('the same SQL makes an equal catalog, and nothing of ours is in it', async () => {
    await inDatabase(targetMajor, name(1), async (client) => {
      await client.query(
        'BEGIN; CREATE SCHEMA flexlift; CREATE TABLE flexlift.migration (id serial PRIMARY KEY)',
      );
      await client.query(`COMMENT ON SCHEMA flexlift IS 'x'; COMMENT ON TABLE flexlift.migration IS 'y'`);
      expect(compareCatalogs(source, await readCatalog(client), left())).toEqual([]);
      await client.query('ROLLBACK');
    });
    expect(source.objects.size).toBeGreaterThan(200);
  });

  test('what is read changes with the schema and with nothing else', async () => {
    await inDatabase(sourceMajor, name(0), async (client) => {
      const before = await readCatalog(client);
      await client.query(
        `INSERT INTO sales.parent VALUES (1); ANALYZE sales.parent; SELECT pg_catalog.nextval('sales.odd')`,
      );
      expect(await readCatalog(client)).toEqual(before);
      await client.query('BEGIN; ALTER TABLE sales.parent ADD COLUMN late int');
      expect(await readCatalog(client)).not.toEqual(before);
      await client.query('ROLLBACK');
    });
  });

  test('owners and privileges can be left out, and single objects', async () => {
    await inDatabase(targetMajor, name(1), async (client) => {
      await client.query(`BEGIN; ALTER TABLE sales.child OWNER TO cmp_reader; REVOKE SELECT ON sales.orders FROM cmp_reader;
        COMMENT ON TABLE sales.orders IS NULL; ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM cmp_reader`);
      const target = await readCatalog(client);
      await client.query('ROLLBACK');
      const comment = 'comment on table sales.orders';
      const without = (options: object) =>
        compareCatalogs(source, target, { ...left(), ...options }).map(({ object }) => object);
      expect(without({ ignoreOwners: true, ignorePrivileges: true })).toEqual([comment]);
      expect(without({ ignorePrivileges: true })).toEqual([comment, 'owner of table "sales"."child"']);
      expect(without({ ignoreOwners: true })).toContain('privileges of table "sales"."orders"');
      expect(
        without({
          ignoreOwners: true,
          ignorePrivileges: true,
          ignoredIdentities: new Set([...left().ignoredIdentities, comment]),
        }),
      ).toEqual([]);
    });
  });

  test('an index that is left invalid, and its comment, are none: no dump has them', async () => {
    const half = `COMMENT ON INDEX sales.by_date IS 'half made';
      UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'sales.by_date'::pg_catalog.regclass`;
    const [invalid, dropped] = await Promise.all(
      ([sourceMajor, targetMajor] as const).map((major, side) =>
        inDatabase(major, name(side), async (client) => {
          await client.query(`BEGIN; ${side === 0 ? half : 'DROP INDEX sales.by_date'}`);
          const catalog = await readCatalog(client);
          await client.query('ROLLBACK');
          return catalog;
        }),
      ),
    );
    expect(compareCatalogs(invalid as Catalog, dropped as Catalog, left())).toEqual([]);
  });

  test('each change is found and named, and nothing else', async () => {
    await inDatabase(targetMajor, name(1), async (client) => {
      for (const [change, ...expected] of CHANGES) {
        await client.query(`BEGIN; ${change}`);
        const found = compareCatalogs(source, await readCatalog(client), left());
        await client.query('ROLLBACK');
        const messages = Object.fromEntries(found.map(({ object, message }) => [object, message]));
        const words = expected.map(([object, word]) => [object, expect.stringContaining(word) as string]);
        expect({ change, messages }).toEqual({ change, messages: Object.fromEntries(words) as unknown });
      }
    });
  });
});
