import type { FlexliftError } from '../../../contract';
import { createLedger } from '../../../postgres/ledger';
import { pendingEntries, runEntry, runPostData, runPreData, runTableEntries } from '../../../postgres/schema';
import { eventually } from '../../support/eventually';
import { createTestDatabase, dropTestDatabase, withSession } from '../../support/servers';
import { dumpAndStore, NEVER, withTarget, type Move } from './schema-steps';

const identity = { migrationId: 'def456def456', generation: 1 };
const TABLES = 120;

let move: Move;

beforeEach(async () => {
  move = {
    source: { major: 14, database: await createTestDatabase(14, 'flx_schema') },
    target: { major: 17, database: await createTestDatabase(17, 'flx_schema') },
    identity,
  };
});

afterEach(async () => {
  await dropTestDatabase(14, move.source.database);
  await dropTestDatabase(17, move.target.database);
});

async function onSource(...statements: string[]): Promise<void> {
  await withSession(14, move.source.database, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** Writes down every statement that the target commits, since a second GRANT or COMMENT would raise no error. */
async function recordCommands(): Promise<void> {
  await withSession(17, move.target.database, async (client) => {
    await client.query('CREATE SCHEMA flexlift_test');
    await client.query('CREATE TABLE flexlift_test.command (tag text)');
    await client.query(`CREATE FUNCTION flexlift_test.record() RETURNS event_trigger LANGUAGE plpgsql AS
      $$BEGIN INSERT INTO flexlift_test.command VALUES (tg_tag); END$$`);
    await client.query(
      'CREATE EVENT TRIGGER record ON ddl_command_end EXECUTE FUNCTION flexlift_test.record()',
    );
  });
}

async function recordedCommands(): Promise<Record<string, number>> {
  const { rows } = await withSession(17, move.target.database, (client) =>
    client.query<{ tag: string; n: number }>(
      'SELECT tag, count(*)::int4 AS n FROM flexlift_test.command GROUP BY tag ORDER BY tag',
    ),
  );
  return Object.fromEntries(rows.map(({ tag, n }) => [tag, n]));
}

async function manyTables(): Promise<void> {
  const statements = Array.from({ length: TABLES }, (_, n) => [
    `CREATE TABLE t${n} (id int PRIMARY KEY, ref int REFERENCES t${n})`,
    `COMMENT ON TABLE t${n} IS 'table ${n}'`,
    `GRANT SELECT ON t${n} TO PUBLIC`,
  ]);
  await onSource(...statements.flat());
}

/** Of each table: it, its comment, its grant; its key, its foreign key and its owner. And schema public's grant. */
const ONCE_EACH = {
  'CREATE TABLE': TABLES,
  COMMENT: TABLES,
  GRANT: TABLES + 1,
  'ALTER TABLE': 3 * TABLES,
};

async function runAll(signal: AbortSignal, onEntry: () => void = () => undefined): Promise<void> {
  await withTarget(
    move,
    async (client) => {
      const task = { client, identity, signal, onProgress: onEntry };
      await runPreData(task);
      await runPostData(task);
    },
    signal,
  );
}

test('cut off again and again, it ends with every statement executed once', async () => {
  await manyTables();
  await dumpAndStore(move);
  await recordCommands();
  let attempts = 0;
  for (let finished = false; !finished; attempts++) {
    const cut = new AbortController();
    let left = 170;
    const attempt = runAll(cut.signal, () => {
      if (left-- === 0) cut.abort(new Error('cut off'));
    });
    finished = await attempt.then(
      () => true,
      (error: Error) => {
        expect(error.message).toBe('cut off');
        return false;
      },
    );
  }
  expect(attempts).toBeGreaterThan(3);
  expect(await recordedCommands()).toMatchObject(ONCE_EACH);
  await withTarget(move, async (client) => expect(await pendingEntries(client)).toEqual([]));
});

test('two attempts at once do everything once', async () => {
  await manyTables();
  await dumpAndStore(move);
  await recordCommands();
  await Promise.all([runAll(NEVER), runAll(NEVER)]);
  expect(await recordedCommands()).toMatchObject(ONCE_EACH);
});

test('an index build that loses its session is done by the next attempt', async () => {
  await onSource(
    'CREATE TABLE t (a int)',
    `CREATE FUNCTION slow(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_catalog.pg_sleep($1); RETURN $1; END'`,
    'CREATE INDEX slow_idx ON t (slow(a))',
  );
  await dumpAndStore(move);
  const index = await withTarget(move, async (client) => {
    await runPreData({ client, identity, signal: NEVER });
    await client.query('INSERT INTO public.t VALUES (60)');
    const [entry] = await pendingEntries(client, { phases: ['table'] });
    return entry;
  });
  expect(index?.object).toBe('INDEX "public"."slow_idx"');
  const task = { identity, signal: NEVER, dumpId: index?.dumpId ?? 0 };
  const lost = withTarget(move, (client) => runEntry({ ...task, client })).catch((error: unknown) => error);
  await terminateIndexBuild();
  expect(((await lost) as FlexliftError).failureClass).toBe('transient');
  expect(((await lost) as FlexliftError).fields.object).toBe('INDEX "public"."slow_idx"');
  await withTarget(move, async (client) => {
    await client.query('UPDATE public.t SET a = 0');
    await runEntry({ ...task, client });
    await runEntry({ ...task, client });
    await runPostData({ ...task, client });
    const { rows } = await client.query(
      `SELECT pg_catalog.to_regclass('public.slow_idx') IS NOT NULL AS made`,
    );
    expect(rows).toEqual([{ made: true }]);
  });
});

async function terminateIndexBuild(): Promise<void> {
  await withSession(17, 'postgres', (client) =>
    eventually('the index build', async () => {
      const { rowCount } = await client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'`,
        [move.target.database],
      );
      return rowCount === 1;
    }),
  );
}

test('a statement that the target refuses is named, and its batch never happened', async () => {
  await onSource('CREATE SCHEMA a', 'CREATE TABLE a.first ()', 'CREATE TABLE a."Se.cond" ()');
  await dumpAndStore(move);
  await withTarget(move, async (client) => {
    await client.query(`UPDATE flexlift.archive_entry SET statement = statement || ' SELECT 1 / 0;'
                         WHERE object = 'TABLE "a"."first"'`);
    const refused = await runPreData({ client, identity, signal: NEVER }).catch((error: unknown) => error);
    const { fields } = refused as FlexliftError;
    expect(fields).toMatchObject({
      code: 'DataRejected',
      sqlState: '22012',
      side: 'target',
      database: move.target.database,
      object: 'TABLE "a"."first"',
    });
    const { rows } = await client.query(
      `SELECT pg_catalog.to_regnamespace('a') AS made, (SELECT count(*)::int4 FROM flexlift.step WHERE kind = 'entry') AS steps`,
    );
    expect(rows).toEqual([{ made: null, steps: 0 }]);
  });
});

test("small tables' indexes share a transaction, and large ones' do not", async () => {
  await onSource('CREATE TABLE a (i int PRIMARY KEY)', 'CREATE TABLE b (i int PRIMARY KEY)');
  await dumpAndStore(move);
  await withTarget(move, async (client) => {
    const task = { client, identity, signal: NEVER };
    await runPreData(task);
    const { rows } = await client.query<{ table_oid: number }>(
      `UPDATE flexlift.archive_entry SET statement = statement || CASE object
          WHEN 'CONSTRAINT "public"."b b_pkey"' THEN ' SELECT 1 / 0;' ELSE '' END
        WHERE phase = 'table' RETURNING table_oid`,
    );
    const tableOids = rows.map((row) => row.table_oid);
    await client.query(
      `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts)
       SELECT oid, 'public', oid, 8192, 1, 1 FROM unnest($1::oid[]) AS oid`,
      [tableOids],
    );
    await expect(runTableEntries({ ...task, tableOids })).rejects.toMatchObject({
      fields: { sentence: 'division by zero.', object: 'CONSTRAINT "public"."b b_pkey"' },
    });
    expect(await pendingEntries(client)).toHaveLength(2);
    await client.query('UPDATE flexlift.table_load SET estimated_bytes = 1024 ^ 3');
    await expect(runTableEntries({ ...task, tableOids })).rejects.toThrow('division by zero');
    expect(await pendingEntries(client)).toHaveLength(1);
  });
});

test('a foreign key counts for both of its tables', async () => {
  await onSource(
    'CREATE TABLE "t REFERENCES (" (i int PRIMARY KEY)',
    'CREATE TABLE parts (i int PRIMARY KEY) PARTITION BY RANGE (i)',
    'CREATE TABLE b (i int REFERENCES "t REFERENCES (", j int REFERENCES parts)',
  );
  await dumpAndStore(move);
  await withTarget(move, async (client) => {
    await runPreData({ client, identity, signal: NEVER });
    await client.query(`INSERT INTO public."t REFERENCES (" SELECT generate_series(1, 1000)`);
    await client.query(
      `INSERT INTO flexlift.table_load (table_oid, schema_name, table_name, estimated_bytes, estimated_rows, parts)
       SELECT DISTINCT table_oid, 'public', 'b', 5, 1, 1 FROM flexlift.archive_entry WHERE description = 'FK CONSTRAINT'`,
    );
    const { rows } = await client.query<{ size: string }>(
      `SELECT pg_table_size('public."t REFERENCES ("') AS size`,
    );
    const keys = (await pendingEntries(client)).filter(({ description }) => description === 'FK CONSTRAINT');
    expect(Object.fromEntries(keys.map(({ object, bytes }) => [object, bytes]))).toEqual({
      'FK CONSTRAINT "public"."b b_i_fkey"': Number(rows[0]?.size) + 5,
      'FK CONSTRAINT "public"."b b_j_fkey"': null,
    });
  });
});

test('without a stored archive nothing passes as done', async () => {
  await withTarget(move, async (client) => {
    await createLedger(client, identity, { databaseCreated: true });
    await expect(runPreData({ client, identity, signal: NEVER })).rejects.toMatchObject({
      fields: { code: 'LedgerForeign' },
    });
  });
});
