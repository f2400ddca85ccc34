import { randomBytes } from 'node:crypto';
import { quoteIdentifier } from '../../../postgres/connect';
import { pendingEntries, runPostData, runPreData, runTableEntries } from '../../../postgres/schema';
import { createTestDatabase, dropTestDatabase, withSession, type Major } from '../../support/servers';
import { catalogListing } from './catalog-listing';
import { nastySchema } from './nasty-schema';
import { dumpAndStore, NEVER, withTarget, type Move } from './schema-steps';

const suffix = randomBytes(3).toString('hex');
const owner = quoteIdentifier(`flx_schema_${suffix} "Own'er`);
const reader = quoteIdentifier(`flx_schema_${suffix} SET SESSION AUTHORIZATION é`);
const ROLE_MAJORS: Major[] = [11, 14, 15, 17, 18];

async function onAllServers(statements: string[]): Promise<void> {
  for (const major of ROLE_MAJORS) {
    await withSession(major, 'postgres', async (client) => {
      for (const statement of statements) await client.query(statement);
    });
  }
}

beforeAll(() => onAllServers([`CREATE ROLE ${owner}`, `CREATE ROLE ${reader}`]));
afterAll(() => onAllServers([`DROP ROLE ${owner}`, `DROP ROLE ${reader}`]));

async function moved(
  [sourceMajor, targetMajor]: [Major, Major],
  work: (move: Move) => Promise<void>,
  options = '',
): Promise<void> {
  const source = {
    major: sourceMajor,
    database: await createTestDatabase(sourceMajor, 'flx_schema', options),
  };
  const target = {
    major: targetMajor,
    database: await createTestDatabase(targetMajor, 'flx_schema', options),
  };
  try {
    await work({ source, target, identity: { migrationId: 'abc123abc123', generation: 1 } });
  } finally {
    await dropTestDatabase(source.major, source.database);
    await dropTestDatabase(target.major, target.database);
  }
}

async function runAll(move: Move): Promise<void> {
  const task = { identity: move.identity, signal: NEVER };
  await withTarget(move, async (client) => {
    await runPreData({ ...task, client });
    const { rows } = await client.query<{ table_oid: number }>(
      `SELECT table_oid FROM flexlift.archive_entry WHERE description = 'TABLE' AND table_oid IS NOT NULL`,
    );
    await runTableEntries({ ...task, client, tableOids: rows.map((row) => row.table_oid) });
    await runPostData({ ...task, client });
    expect(await pendingEntries(client)).toEqual([]);
  });
}

async function listings(move: Move): Promise<{ source: string[]; target: string[] }> {
  return {
    source: await withSession(move.source.major, move.source.database, catalogListing),
    target: await withSession(move.target.major, move.target.database, catalogListing),
  };
}

test.each<[Major, Major]>([
  [11, 15],
  [14, 17],
  [15, 18],
])('every object of %i stands on %i as it was', async (...majors) => {
  await moved(majors, async (move) => {
    await withSession(move.source.major, move.source.database, async (client) => {
      for (const statement of nastySchema(majors[0], { owner, reader })) await client.query(statement);
    });
    await dumpAndStore(move);
    await runAll(move);
    const { source, target } = await listings(move);
    expect(source.length).toBeGreaterThan(300);
    expect(target.filter((line) => !source.includes(line))).toEqual([]);
    expect(source.filter((line) => !target.includes(line))).toEqual([]);
  });
});

test('a LATIN1 database keeps its names and texts', async () => {
  await moved(
    [14, 17],
    async (move) => {
      await withSession(14, move.source.database, async (client) => {
        await client.query(`CREATE TABLE "Übergröße" ("ß" text DEFAULT 'é' PRIMARY KEY)`);
        await client.query(`COMMENT ON TABLE "Übergröße" IS 'naïve ÿ'`);
      });
      await dumpAndStore(move);
      await runAll(move);
      const { source, target } = await listings(move);
      expect(source.some((line) => line.includes('naïve ÿ'))).toBe(true);
      expect(target).toEqual(source);
    },
    `ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'`,
  );
});

test('a source that reads backslashes in strings as escapes keeps its strings', async () => {
  await moved([14, 17], async (move) => {
    await withSession(14, 'postgres', (client) =>
      client.query(
        `ALTER DATABASE ${quoteIdentifier(move.source.database)} SET standard_conforming_strings = off`,
      ),
    );
    await withSession(14, move.source.database, async (client) => {
      await client.query(`CREATE TABLE t (a text DEFAULT E'one \\\\ backslash')`);
      await client.query(`COMMENT ON TABLE t IS E'two \\\\\\\\ of them'`);
    });
    await dumpAndStore(move);
    await runAll(move);
    const { source, target } = await listings(move);
    expect(source.some((line) => line.includes('two \\\\ of'))).toBe(true);
    expect(target).toEqual(source);
  });
});

test('owners, privileges and an earlier ledger are left out by rules that the ledger names', async () => {
  await moved([14, 15], async (move) => {
    await withSession(14, move.source.database, async (client) => {
      await client.query('CREATE SCHEMA flexlift');
      await client.query('CREATE TABLE flexlift.migration (id serial PRIMARY KEY)');
      await client.query(`COMMENT ON TABLE flexlift.migration IS 'old'`);
      await client.query(`GRANT USAGE ON SCHEMA flexlift TO ${reader}`);
      await client.query('CREATE TABLE t (a int)');
      await client.query(`ALTER TABLE t OWNER TO ${owner}`);
      await client.query(`GRANT SELECT ON t TO ${reader}`);
      await client.query(
        `CREATE SUBSCRIPTION s CONNECTION 'password=hush' PUBLICATION p WITH (connect = false)`,
      );
      await client.query(`COMMENT ON SUBSCRIPTION s IS 'secret'`);
    });
    await dumpAndStore(move, { noOwner: true, noPrivileges: true });
    await withSession(14, move.source.database, async (client) => {
      await client.query('ALTER SUBSCRIPTION s SET (slot_name = NONE)');
      await client.query('DROP SUBSCRIPTION s');
    });
    await runAll(move);
    await withTarget(move, async (client) => {
      const rules = await client.query<{ skipped_by: string; n: number; texts: number }>(
        `SELECT skipped_by, count(*)::int4 AS n, sum(length(statement))::int4 AS texts
           FROM flexlift.archive_entry WHERE skipped_by IS NOT NULL GROUP BY 1 ORDER BY 1`,
      );
      expect(rules.rows).toEqual([
        { skipped_by: 'archive-setting', n: 3, texts: 0 },
        { skipped_by: 'database-properties', n: 1, texts: 0 },
        { skipped_by: 'ledger-schema', n: 7, texts: 0 },
        { skipped_by: 'no-privileges', n: 3, texts: 0 },
        { skipped_by: 'public-schema', n: 1, texts: 0 },
        { skipped_by: 'subscription', n: 2, texts: 0 },
      ]);
      const table = await client.query(
        `SELECT relowner::pg_catalog.regrole::text AS owner, relacl FROM pg_catalog.pg_class WHERE oid = 'public.t'::pg_catalog.regclass`,
      );
      expect(table.rows).toEqual([{ owner: 'postgres', relacl: null }]);
    });
  });
});

test('the entries of one table are its indexes and constraints, not its foreign keys and what is NOT VALID', async () => {
  await moved([15, 17], async (move) => {
    await withSession(15, move.source.database, async (client) => {
      await client.query('CREATE TABLE parent (id int PRIMARY KEY)');
      await client.query('CREATE TABLE t (a int PRIMARY KEY, b int REFERENCES parent) PARTITION BY LIST (a)');
      await client.query('CREATE TABLE leaf PARTITION OF t FOR VALUES IN (1)');
      await client.query('CREATE INDEX b_idx ON t (b)');
      await client.query('ALTER TABLE leaf ADD CONSTRAINT unchecked CHECK (a > 0) NOT VALID');
    });
    await dumpAndStore(move);
    const { rows } = await withSession(15, move.source.database, (client) =>
      client.query<{ oid: number }>(`SELECT 'leaf'::regclass::oid AS oid`),
    );
    await withTarget(move, async (client) => {
      const tableOids = rows.map(({ oid }) => oid);
      const entries = await pendingEntries(client, { phases: ['table'], tableOids });
      const objects = entries.map(({ object }) => object);
      expect(objects.sort()).toEqual(['CONSTRAINT "public"."leaf leaf_pkey"', 'INDEX "public"."leaf_b_idx"']);
    });
    await runAll(move);
  });
});

test('a user without superuser gives objects in public to their owners', async () => {
  const admin = `flx_schema_${suffix}_admin`;
  await withSession(17, 'postgres', async (client) => {
    await client.query(`CREATE ROLE ${admin} LOGIN`);
    await client.query(`GRANT ${owner}, ${reader} TO ${admin}`);
  });
  try {
    await moved([14, 17], async (move) => {
      await withSession(14, move.source.database, async (client) => {
        await client.query('CREATE TABLE t (a int PRIMARY KEY)');
        await client.query(`ALTER TABLE t OWNER TO ${owner}`);
        await client.query(`GRANT SELECT ON t TO ${reader} WITH GRANT OPTION`);
        await client.query(`SET ROLE ${reader}`);
        await client.query('GRANT SELECT ON t TO PUBLIC');
        await client.query('RESET ROLE');
      });
      await withSession(17, 'postgres', (client) =>
        client.query(`ALTER DATABASE ${quoteIdentifier(move.target.database)} OWNER TO ${admin}`),
      );
      await dumpAndStore({ ...move, targetUser: admin });
      await runAll({ ...move, targetUser: admin });
      const { source, target } = await listings(move);
      expect(target).toEqual(source);
    });
  } finally {
    await withSession(17, 'postgres', (client) => client.query(`DROP ROLE ${admin}`));
  }
});
