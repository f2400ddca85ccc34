import { randomBytes } from 'node:crypto';
import { checksumTable } from '../../../postgres/compare';
import { copyLargeObjects, copyLateRows } from '../../../postgres/copy';
import { withSession, type Major } from '../../support/servers';
import { eventually } from '../../support/eventually';
import { copiedInAttempt } from './copied-in-attempt';
import { identity, never } from './fixture';
import { OnlinePair, PREFIX } from './online-fixture';

let online: OnlinePair;

afterEach(async () => {
  await online.drop();
});

const SCHEMA = `
  CREATE UNLOGGED TABLE cache (id int, v text); CREATE UNLOGGED TABLE still (id int, v text);
  CREATE TABLE log (id int, v text); CREATE TABLE quiet (id int, v text); CREATE TABLE keyed (id int PRIMARY KEY, v text)`;
const ROWS = `
  INSERT INTO cache SELECT g, 'a' FROM generate_series(1, 50) g; INSERT INTO still VALUES (1, 'a');
  INSERT INTO log SELECT g, 'a' FROM generate_series(1, 50) g; INSERT INTO quiet VALUES (1, 'a');
  INSERT INTO keyed VALUES (1, 'a');
  SELECT lo_from_bytea(1000 + g, decode(repeat('ab', g), 'hex')) FROM generate_series(1, 3) g`;

async function copied(source: Major, target: Major): Promise<void> {
  online = await OnlinePair.create(source, target);
  await online.pair.both(SCHEMA);
  await online.pair.sql('source', ROWS);
  await online.plan({ cache: 'late', still: 'late', log: 'append', quiet: 'append' });
  await online.stream({ replicaRole: true, cutover: 1 });
  await online.copyGroup(1);
  await online.pair.session('source', async (source) => {
    await source.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await online.pair.session('target', (target) =>
      copyLargeObjects({
        source,
        target,
        identity,
        batch: 1,
        noOwner: true,
        noPrivileges: true,
        signal: never,
      }),
    );
  });
}

let calls = 0;

async function lateRows(
  attempt: number,
  change: { trustsCounters?: boolean; noOwner?: boolean; noPrivileges?: boolean } = {},
): Promise<string[]> {
  calls += 1;
  await withoutApplications();
  const prefix = `${PREFIX}copyLateRows:`;
  await online.pair.session(
    'source',
    (source) =>
      online.pair.session(
        'target',
        (target) =>
          copyLateRows({
            source,
            target,
            identity,
            attempt,
            predecessorPrefix: prefix,
            checksumTable,
            noOwner: true,
            noPrivileges: true,
            signal: never,
            ...change,
          }),
        `${prefix}${calls}`,
      ),
    `${prefix}${calls}`,
  );
  return await copiedInAttempt(online.pair, attempt);
}

/** As the fence leaves the source: what a session counted is reported at its end. */
async function withoutApplications(): Promise<void> {
  await eventually('the application to be gone', async () => {
    const sessions = await online.pair.sql(
      'source',
      `SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
          AND application_name NOT LIKE 'flexlift%'`,
    );
    return sessions.length === 0;
  });
}

/** What the applier would do: INSERT comes through the stream. */
async function both(statement: string): Promise<void> {
  await online.pair.both(statement);
}

async function nextAttempt(): Promise<void> {
  await online.pair.sql('target', 'UPDATE flexlift.stream SET cutover = cutover + 1');
}

async function largeObjects(): Promise<Record<'source' | 'target', object[]>> {
  return await online.pair.results(
    `SELECT oid, encode(lo_get(oid), 'hex') AS data FROM pg_largeobject_metadata ORDER BY oid`,
  );
}

test.each([
  [15, 17],
  [11, 18],
  [18, 15],
] as const)(
  'exactly what the stream did not carry and has changed is copied anew, %i to %i',
  async (from, to) => {
    await copied(from, to);
    await both(`INSERT INTO log VALUES (51, 'b'); INSERT INTO quiet VALUES (2, 'b')`);
    expect(await lateRows(1)).toEqual([]);

    await nextAttempt();
    await online.pair.sql(
      'source',
      `UPDATE cache SET v = 'c' WHERE id = 7; DELETE FROM log WHERE id = 1; UPDATE log SET v = 'd' WHERE id = 2`,
    );
    await online.pair.sql(
      'source',
      `SELECT lo_unlink(1001), lo_put(1002, 0, 'x'), lo_from_bytea(5000, 'new')`,
    );
    await online.pair.sql(
      'target',
      `INSERT INTO flexlift.proof SELECT table_oid, '0/1', 1, '1' FROM flexlift.table_load`,
    );
    expect(await lateRows(2)).toEqual(['"public"."cache"', '"public"."log"', 'large objects']);
    await online.expectEqual('public.cache', 'public.still', 'public.log', 'public.quiet');
    const { source, target } = await largeObjects();
    expect(target).toEqual(source);
    expect(target).toHaveLength(3);
    const ledger = await online.ledger();
    expect(Object.fromEntries(Object.entries(ledger).map(([name, { copies }]) => [name, copies]))).toEqual({
      cache: 2,
      still: 1,
      log: 2,
      quiet: 1,
      keyed: 1,
    });
    const proofs = await online.pair.sql<{ name: string }>(
      'target',
      'SELECT table_name AS name FROM flexlift.proof JOIN flexlift.table_load USING (table_oid) ORDER BY 1',
    );
    expect(proofs.map(({ name }) => name)).toEqual(['keyed', 'quiet', 'still']);

    // what one attempt has settled is not done again, and not forgotten
    await online.pair.sql('target', `UPDATE cache SET v = 'only here'`);
    expect(await lateRows(2)).toEqual(['"public"."cache"', '"public"."log"', 'large objects']);
    expect(await online.pair.sql('target', `SELECT DISTINCT v FROM cache`)).toEqual([{ v: 'only here' }]);
    await nextAttempt();
    await both(`INSERT INTO log VALUES (52, 'b')`);
    expect(await lateRows(3)).toEqual(['"public"."cache"']);
    await online.expectEqual('public.cache', 'public.log');
  },
);

test('owner, rights and comment of large objects are brought over as their content is', async () => {
  await copied(15, 17);
  const roles = ['late_owner', 'late_reader'].map((name) => `${name}_${randomBytes(3).toString('hex')}`);
  const [owner = '', reader = ''] = roles;
  const onBothServers = async (sql: string) => {
    for (const side of ['source', 'target'] as const) await online.pair.sql(side, sql);
  };
  await onBothServers(`CREATE ROLE ${owner}; CREATE ROLE ${reader}`);
  const all = { noOwner: false, noPrivileges: false };
  const properties = () =>
    online.pair.results(
      `SELECT oid, pg_get_userbyid(lomowner) AS owner, lomacl::text AS acl, obj_description(oid, 'pg_largeobject') AS comment
         FROM pg_largeobject_metadata ORDER BY oid`,
    );
  const changes = [
    `GRANT SELECT ON LARGE OBJECT 1001 TO ${reader}`,
    `ALTER LARGE OBJECT 1002 OWNER TO ${owner}`,
    `COMMENT ON LARGE OBJECT 1003 IS 'said since'`,
    `REVOKE ALL ON LARGE OBJECT 1002 FROM ${owner}`,
  ];
  let attempt = 1;
  for (const change of changes) {
    await online.pair.sql('source', change);
    expect(await lateRows(attempt, all)).toEqual(['large objects']);
    const { source, target } = await properties();
    expect(target).toEqual(source);
    await nextAttempt();
    attempt += 1;
    expect(await lateRows(attempt, all)).toEqual([]);
    await nextAttempt();
    attempt += 1;
  }
  await online.pair.sql('source', `GRANT UPDATE ON LARGE OBJECT 1001 TO ${reader}`);
  expect(await lateRows(attempt)).toEqual([]);
  await onBothServers(`DROP OWNED BY ${roles.join(', ')}; DROP ROLE ${roles.join(', ')}`);
});

test('an attempt that has ended copies nothing', async () => {
  await copied(15, 17);
  await online.pair.sql('source', `UPDATE cache SET v = 'c'`);
  await nextAttempt();
  await expect(lateRows(1)).rejects.toMatchObject({ code: 'CutoverRefused' });
  expect(await online.pair.sql('target', `SELECT DISTINCT v FROM cache`)).toEqual([{ v: 'a' }]);
});

test('counters that were reset, or did not count, say nothing: the table is compared', async () => {
  await copied(15, 17);
  await online.pair.sql('source', `UPDATE log SET v = 'c'`);
  await online.pair.sql('source', `SELECT pg_stat_reset_single_table_counters('log'::regclass)`);
  expect(await lateRows(1)).toEqual(['"public"."log"']);
  await nextAttempt();
  await online.pair.sql('source', `SET track_counts = off; UPDATE quiet SET v = 'd'`);
  expect(await lateRows(2)).toEqual([]);
  await nextAttempt();
  expect(await lateRows(3, { trustsCounters: false })).toEqual(['"public"."quiet"']);
  await nextAttempt();
  await online.pair.sql('source', `UPDATE quiet SET v = 'e'`);
  await online.pair.sql('source', `ALTER DATABASE "${online.pair.databases.source}" SET track_counts = off`);
  expect(await lateRows(4)).toEqual(['"public"."quiet"']);
  await online.expectEqual('public.log', 'public.quiet');
});

test('the condition of a configuration table holds; triggers of the target stay silent', async () => {
  await copied(15, 17);
  await online.pair.both('CREATE EXTENSION IF NOT EXISTS pg_trgm');
  await online.pair.sql(
    'target',
    `UPDATE flexlift.table_load SET copy_condition = 'WHERE id > 10' WHERE table_name = 'cache';
     CREATE FUNCTION noisy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'fired'; END $$;
     CREATE TRIGGER noisy BEFORE INSERT OR DELETE ON cache FOR EACH ROW EXECUTE FUNCTION noisy();
     UPDATE cache SET v = 'of the extension' WHERE id <= 10`,
  );
  await online.pair.sql('source', `UPDATE cache SET v = 'changed'`);
  expect(await lateRows(1)).toEqual(['"public"."cache"']);
  expect(await online.pair.sql('target', `SELECT v, count(*)::int FROM cache GROUP BY 1 ORDER BY 1`)).toEqual(
    [
      { v: 'changed', count: 40 },
      { v: 'of the extension', count: 10 },
    ],
  );
});

test('a predecessor that stands still is ended, and its table done by the next', async () => {
  await copied(15, 17);
  await online.pair.sql('source', `UPDATE cache SET v = 'c'; UPDATE still SET v = 'c'`);
  await withSession(17, online.pair.databases.target, async (blocker) => {
    await blocker.query('BEGIN; LOCK TABLE cache IN ACCESS SHARE MODE');
    const first = lateRows(1).catch((error: unknown) => error);
    await eventually('it to wait', async () => {
      const waiting = await online.pair.sql(
        'target',
        `SELECT FROM pg_locks WHERE NOT granted AND relation = 'cache'::regclass`,
      );
      return waiting.length === 1;
    });
    const second = lateRows(1);
    expect(await first).toMatchObject({ code: 'ServerRestarting' });
    await blocker.query('ROLLBACK');
    expect(await second).toEqual(['"public"."cache"', '"public"."still"']);
  });
  await online.expectEqual('public.cache', 'public.still');
});
