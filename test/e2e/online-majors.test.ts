import type { KeylessTables } from '../../contract';
import { TEST_ALL } from '../support/all';
import {
  cutOver,
  expectReleased,
  untilReplication,
  useOnlineMigrations,
  type Online,
} from '../support/online';
import { withSession, type Major } from '../support/servers';
import { Writers } from '../support/writers';

const SOURCE = 11;
const TARGET = 18;

const online = useOnlineMigrations(SOURCE, TARGET);
const { shop } = online;
let writer: Writers | undefined;
/** Over all tests: no key comes again. */
let turn = 0;

/** One table of every kind whose changes come in another way. */
const TABLES = `
  CREATE TABLE journal (n bigserial, what text);
  CREATE TABLE counters (name text, value bigint);
  INSERT INTO counters SELECT 'counter ' || g, 0 FROM generate_series(1, 20) g;
  CREATE UNLOGGED TABLE cache (id int PRIMARY KEY, value bigint);
  INSERT INTO cache SELECT g, 0 FROM generate_series(1, 20) g;
  CREATE TABLE measured (at int, id bigint, big_id bigint REFERENCES big, value text, PRIMARY KEY (at, id))
    PARTITION BY RANGE (at);
  CREATE TABLE "Measured 1" PARTITION OF measured FOR VALUES FROM (0) TO (50);
  CREATE TABLE "Measured 2" PARTITION OF measured FOR VALUES FROM (50) TO (100);
  CREATE TABLE "Measured rest" PARTITION OF measured DEFAULT;
  CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.journal (what) VALUES (TG_OP || ' of ' || TG_TABLE_NAME); RETURN NULL; END $$;
  CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON measured FOR EACH ROW EXECUTE PROCEDURE note_change();
  CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree DEFERRABLE INITIALLY DEFERRED);`;

/** A row moves between partitions, and a parent comes after its child. */
function transaction(): string {
  turn += 1;
  const at = (turn * 7) % 120;
  const node = turn * 2;
  return `
    BEGIN;
    INSERT INTO journal (what) VALUES ('turn ${turn}');
    UPDATE counters SET value = ${turn} WHERE name = 'counter ${1 + (turn % 20)}';
    UPDATE cache SET value = ${turn} WHERE id = ${1 + (turn % 20)};
    INSERT INTO measured VALUES (${at}, ${turn}, ${1 + (turn % 900)}, repeat('v', ${turn % 3000}));
    UPDATE measured SET at = at + 40 WHERE at = ${at} AND id = ${turn} AND ${turn % 3 === 0};
    DELETE FROM measured WHERE id = ${turn - 40};
    INSERT INTO tree VALUES (${node}, ${node + 1}), (${node + 1}, NULL);
    SELECT lo_put(900001, ${turn % 1000}, '\\x${(turn % 256).toString(16).padStart(2, '0')}');
    SELECT nextval('numbers');
    COMMIT`;
}

beforeAll(async () => {
  await withSession(SOURCE, shop.database, (client) => client.query(TABLES));
});
afterEach(async () => {
  await writer?.stop();
});

async function start(keylessTables: KeylessTables): Promise<Online> {
  const migration = await online.start({ keylessTables });
  writer = Writers.start(SOURCE, shop.database, { sessions: 1, interval: 20, transaction });
  shop.startWorker(migration.request.pool);
  return migration;
}

/** Constraints and triggers; their definitions are compared by the migration itself. */
async function rulesOf(major: Major): Promise<string[]> {
  return await withSession(major, shop.database, async (client) => {
    const { rows } = await client.query<{ rule: string }>(`
      SELECT format('%s %s %s %s', conrelid::regclass, conname, contype, convalidated) AS rule
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conparentid = 0 AND contype <> 'n'
      UNION ALL
      SELECT format('%s %s %s', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger t
       WHERE NOT tgisinternal AND COALESCE(to_jsonb(t) ->> 'tgparentid', '0') = '0'
      ORDER BY 1`);
    return rows.map(({ rule }) => rule);
  });
}

async function largeObjectsOf(major: Major): Promise<unknown[]> {
  return await withSession(major, shop.database, async (client) => {
    const { rows } = await client.query<{ loid: number }>(
      `SELECT loid, md5(string_agg(data, '' ORDER BY pageno)) FROM pg_largeobject GROUP BY loid ORDER BY loid`,
    );
    return rows;
  });
}

describe('an online migration over seven majors', () => {
  it.each<KeylessTables>(TEST_ALL ? ['append', 'full'] : ['append'])(
    'brings every kind of table, keyless ones by %s',
    async (keyless) => {
      const migration = await start(keyless);
      await untilReplication(migration.handle, 'ReadyForCutover');
      const released = await cutOver(migration.handle);
      expect(released.cutover).toMatchObject({ state: 'Released' });
      await writer?.stop();
      expect(writer?.committed).toBeGreaterThan(20);
      await expectReleased(shop, migration, [SOURCE, TARGET]);

      const rules = await rulesOf(SOURCE);
      expect(rules.filter((rule) => rule.includes(' note ') || rule.includes(' f '))).toHaveLength(14 + 1);
      expect(await rulesOf(TARGET)).toEqual(rules);
      expect(await largeObjectsOf(TARGET)).toEqual(await largeObjectsOf(SOURCE));
      await expectTargetWrites();
    },
  );
});

/** As the application would: triggers fire, and no sequence gives a number again. */
async function expectTargetWrites(): Promise<void> {
  const last = await withSession(SOURCE, shop.database, (client) =>
    client.query<{ last: string }>('SELECT last_value AS last FROM numbers'),
  );
  await withSession(TARGET, shop.database, async (client) => {
    const { rows } = await client.query<{ next: string }>(`SELECT nextval('numbers') AS next`);
    expect(Number(rows[0]?.next)).toBeGreaterThan(Number(last.rows[0]?.last));
    await client.query(`INSERT INTO measured VALUES (1, -1, 1, 'on the target')`);
    const journal = await client.query<{ n: string; distinct: string; last: string }>(
      `SELECT count(*) AS n, count(DISTINCT n) AS distinct,
              (SELECT what FROM journal ORDER BY n DESC LIMIT 1) AS last FROM journal`,
    );
    expect(journal.rows[0]?.distinct).toBe(journal.rows[0]?.n);
    expect(journal.rows[0]?.last).toMatch(/^INSERT of /);
  });
}
