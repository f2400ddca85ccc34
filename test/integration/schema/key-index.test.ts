import type { Client } from 'pg';
import { buildKeyIndex, pendingEntries, runEntry, runPostData } from '../../../postgres/schema';
import { withSession, type Major } from '../../support/servers';
import { catalogListing } from './catalog-listing';
import { NEVER, withPreData, type Move } from './schema-steps';

/** Builds the index of every key of a table that may have rows, and says of which. */
async function buildKeyIndexes(client: Client, { identity }: Move): Promise<string[]> {
  const { rows } = await client.query<{ dump_id: number; object: string }>(
    `SELECT dump_id, object FROM flexlift.archive_entry WHERE phase = 'table' AND key_index IS NOT NULL AND object !~ 'tree'
      ORDER BY object COLLATE "C"`,
  );
  for (const row of rows) {
    await buildKeyIndex({ client, identity, signal: NEVER, dumpId: row.dump_id });
  }
  return rows.map(({ object }) => object);
}

async function scalar(client: Client, sql: string): Promise<unknown> {
  const { rows } = await client.query<{ value: unknown }>(`SELECT ${sql} AS value`);
  return rows[0]?.value;
}

const KEYS = [
  'CREATE DOMAIN code AS varchar(10) COLLATE "C"',
  "CREATE TYPE mood AS ENUM ('sad', 'glad')",
  'CREATE TABLE plain (id int PRIMARY KEY, c code UNIQUE, m mood UNIQUE)',
  "COMMENT ON CONSTRAINT plain_pkey ON plain IS 'its key'",
  'CREATE TABLE "Q,u(o""te" ("a, b" text COLLATE "C", "c)" int, CONSTRAINT "k.1 (" PRIMARY KEY ("a, b", "c)"))',
  'CREATE TABLE more (a int, b text, c int, d int, UNIQUE (a, b) INCLUDE (c) WITH (fillfactor = 55))',
  'ALTER TABLE more ADD PRIMARY KEY (d), ADD UNIQUE (c) DEFERRABLE, ADD UNIQUE (b) DEFERRABLE INITIALLY DEFERRED',
  'ALTER TABLE more CLUSTER ON more_pkey',
  'ALTER TABLE plain REPLICA IDENTITY USING INDEX plain_pkey',
  'CREATE TABLE parent (id int PRIMARY KEY)',
  'CREATE TABLE child (extra int UNIQUE) INHERITS (parent)',
  'CREATE TABLE tree (id int, t text, PRIMARY KEY (id)) PARTITION BY RANGE (id)',
  'CREATE TABLE leaf PARTITION OF tree FOR VALUES FROM (1) TO (9)',
  'CREATE TABLE single (id int PRIMARY KEY CHECK (id > 0), EXCLUDE (id WITH =))',
];

const NAMES = [
  'CONSTRAINT "public"."Q,u(o""te k.1 ("',
  'CONSTRAINT "public"."child child_extra_key"',
  'CONSTRAINT "public"."leaf leaf_pkey"',
  'CONSTRAINT "public"."more more_a_b_c_key"',
  'CONSTRAINT "public"."more more_b_key"',
  'CONSTRAINT "public"."more more_c_key"',
  'CONSTRAINT "public"."more more_pkey"',
  'CONSTRAINT "public"."parent parent_pkey"',
  'CONSTRAINT "public"."plain plain_c_key"',
  'CONSTRAINT "public"."plain plain_m_key"',
  'CONSTRAINT "public"."plain plain_pkey"',
  'CONSTRAINT "public"."single single_pkey"',
];

test.each<[Major, Major]>([
  [11, 11],
  [11, 15],
  [14, 17],
  [15, 18],
])('every key of %i whose index is built first stands on %i as it was', async (...majors) => {
  const since15 = ['CREATE TABLE nulls (i int, CONSTRAINT none UNIQUE NULLS NOT DISTINCT (i))'];
  const statements = [...KEYS, ...(majors[0] >= 15 ? since15 : [])];
  await withPreData(majors, statements, async (move, client) => {
    const nulls = majors[0] >= 15 ? ['CONSTRAINT "public"."nulls none"'] : [];
    expect(await buildKeyIndexes(client, move)).toEqual([...NAMES, ...nulls].sort());
    expect(await scalar(client, `to_regclass('public.plain_pkey') IS NOT NULL`)).toBe(true);
    await runPostData({ client, identity: move.identity, signal: NEVER });
    expect(await pendingEntries(client)).toEqual([]);
    const source = await withSession(move.source.major, move.source.database, catalogListing);
    const target = await withSession(move.target.major, move.target.database, catalogListing);
    expect(source.filter((line) => line.includes('more_b_key'))).not.toEqual([]);
    expect(target).toEqual(source);
  });
});

test('each step is done once, in whatever order attempts come', async () => {
  await withPreData(
    [14, 17],
    ['CREATE TABLE a (i int PRIMARY KEY)', 'CREATE TABLE b (i int PRIMARY KEY)'],
    async (move, client) => {
      const [a, b] = await pendingEntries(client, { phases: ['table'] });
      const task = { client, identity: move.identity, signal: NEVER };
      const index = `(SELECT pg_relation_filenode('a_pkey'))`;
      await client.query('SET search_path = public');
      await buildKeyIndex({ ...task, dumpId: a?.dumpId ?? 0 });
      const built = await scalar(client, index);
      await buildKeyIndex({ ...task, dumpId: a?.dumpId ?? 0 });
      await runEntry({ ...task, dumpId: a?.dumpId ?? 0 });
      await runEntry({ ...task, dumpId: a?.dumpId ?? 0 });
      await buildKeyIndex({ ...task, dumpId: a?.dumpId ?? 0 });
      expect(await scalar(client, index)).toBe(built);
      await runEntry({ ...task, dumpId: b?.dumpId ?? 0 });
      await buildKeyIndex({ ...task, dumpId: b?.dumpId ?? 0 });
      expect(await pendingEntries(client, { phases: ['table'] })).toEqual([]);
      expect(
        await scalar(
          client,
          `(SELECT count(*)::int4 FROM pg_constraint WHERE contype = 'p' AND conrelid IN ('a'::regclass, 'b'::regclass))`,
        ),
      ).toBe(2);
    },
  );
});

test('rows that break a key are found when its index is built, and named', async () => {
  await withPreData([14, 17], ['CREATE TABLE a (i int PRIMARY KEY)'], async (move, client) => {
    await client.query('INSERT INTO public.a VALUES (7), (7)');
    await expect(buildKeyIndexes(client, move)).rejects.toMatchObject({
      fields: { code: 'DataRejected', object: 'CONSTRAINT "public"."a a_pkey"' },
    });
    expect(await pendingEntries(client, { phases: ['table'] })).toHaveLength(1);
    expect(await scalar(client, `to_regclass('public.a_pkey')`)).toBeNull();
  });
});
