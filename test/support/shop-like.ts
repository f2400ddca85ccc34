import type { Major } from './servers';
import { createTestDatabase, withSession } from './servers';

/** Part size that cuts `big` into several parts. Bytes. */
export const SMALL_PARTS = 2 * 1024 ** 2;

/**
 * What a database for tests that kill things holds: one table of about 10 MB with three indexes, some small ones with
 * foreign keys, an index that was left invalid, a sequence that has run, a view, a materialized view, a function with a trigger, large objects.
 */
export function shopLikeSql(rows: number): string {
  const small = Array.from({ length: 12 }, (_, index) => index + 1).map(
    (i) => `
      CREATE TABLE "Small ${i}" (id int PRIMARY KEY, big_id bigint REFERENCES big, note text);
      INSERT INTO "Small ${i}" SELECT g, g, 'note ' || g FROM generate_series(1, ${i * 10}) g;
      CREATE INDEX ON "Small ${i}" (note);`,
  );
  return `
    CREATE TABLE big (id bigint PRIMARY KEY, at timestamptz NOT NULL, kind text NOT NULL, body text);
    INSERT INTO big SELECT i, timestamptz '2020-01-01' + i * interval '1 minute', 'kind ' || i % 7,
                           repeat(chr(65 + i % 26), 100)
      FROM generate_series(1, ${rows}) i;
    CREATE INDEX big_at ON big (at);
    CREATE INDEX big_kind ON big (kind, id);
    CREATE SEQUENCE numbers;
    SELECT setval('numbers', 4711);
    CREATE VIEW recent AS SELECT id, at FROM big WHERE id > 100;
    CREATE MATERIALIZED VIEW kinds AS SELECT kind, count(*) AS n FROM big GROUP BY kind;
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
    CREATE TRIGGER touch BEFORE UPDATE ON big FOR EACH ROW EXECUTE PROCEDURE touch();
    SELECT lo_from_bytea(900000 + i, decode(repeat('00ff', 1000), 'hex')) FROM generate_series(1, 5) i;
    ${small.join('')}
    CREATE INDEX "half made" ON "Small 1" (note);
    COMMENT ON INDEX "half made" IS 'CREATE INDEX CONCURRENTLY failed';
    UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = '"half made"'::regclass;
    ANALYZE`;
}

export async function createShopLike(major: Major, rows = 60_000): Promise<string> {
  const database = await createTestDatabase(major, 'crash');
  await withSession(major, database, (client) => client.query(shopLikeSql(rows)));
  return database;
}
