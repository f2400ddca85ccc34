import { copyLargeObjectsStep } from '../../../activities/copy-rows';
import type { Run } from '../../../activities/support/run';
import { withConnection } from '../../../postgres/connect';
import {
  copyLargeObjects,
  largeObjectsChecksum,
  Pace,
  planLargeObjects,
  storePlan,
} from '../../../postgres/copy';
import { testRequest } from '../../support/migration';
import { testAddress, testEndpoint, withSession } from '../../support/servers';
import { identity, never, Pair } from './fixture';

let pair: Pair;
let role: string;

beforeEach(async () => {
  pair = await Pair.create(14, 17);
  role = `${pair.databases.source} "owner"`;
  for (const major of [14, 17] as const) {
    await withSession(major, 'postgres', (client) => client.query(`CREATE ROLE ${quoted(role)}`));
  }
});

afterEach(async () => {
  await pair.drop();
  for (const major of [14, 17] as const) {
    await withSession(major, 'postgres', (client) => client.query(`DROP ROLE ${quoted(role)}`));
  }
});

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

async function copyLargeObjectsOf(
  objectsPerBatch = 1000,
  noOwner = false,
  noPrivileges = false,
): Promise<number> {
  return await pair.withScope((scope) =>
    pair.withSessions(scope, async (source, target) => {
      const largeObjects = await planLargeObjects(source, objectsPerBatch);
      await storePlan({ target, identity, plan: { tables: [], largeObjects } });
      for (const [index] of largeObjects.entries()) {
        const args = {
          source,
          target,
          identity,
          scope: scope.scope,
          batch: index + 1,
          noOwner,
          noPrivileges,
        };
        const first = await copyLargeObjects({ ...args, signal: never });
        expect(first.alreadyDone).toBe(false);
        const again = await copyLargeObjects({ ...args, signal: never });
        expect(again).toEqual({ ...first, seconds: again.seconds, alreadyDone: true });
      }
      return largeObjects.length;
    }),
  );
}

async function checksums() {
  return {
    source: await pair.session('source', (client) => largeObjectsChecksum(client)),
    target: await pair.session('target', (client) => largeObjectsChecksum(client)),
  };
}

const LISTED = `
  SELECT oid, pg_get_userbyid(lomowner) AS owner, obj_description(oid, 'pg_largeobject') AS comment,
         (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(lomacl) a) AS acl
    FROM pg_largeobject_metadata ORDER BY oid`;

test('contents, sizes, holes, OIDs, owner, privileges and comments', async () => {
  await pair.sql(
    'source',
    `SELECT lo_from_bytea(16001, ''), lo_from_bytea(16002, '\\x00ff'), lo_from_bytea(4294967290, 'high');
     SELECT lo_from_bytea(20000 + g, convert_to('object ' || g, 'UTF8')) FROM generate_series(1, 250) g;
     SELECT lo_from_bytea(16003, decode(repeat('0123456789abcdef', 1000000), 'hex'));
     SELECT lo_create(16004); SELECT lo_put(16004, 20000000, 'end');
     SELECT lo_from_bytea(16005, decode(repeat('00', 100000), 'hex'));
     SELECT lo_from_bytea(16006, decode(repeat('ab', 65536), 'hex'));
     COMMENT ON LARGE OBJECT 16002 IS E'it''s a \\\\ comment\\n;';
     GRANT SELECT ON LARGE OBJECT 16002 TO PUBLIC;
     GRANT ALL ON LARGE OBJECT 16003 TO ${quoted(role)} WITH GRANT OPTION;
     REVOKE UPDATE ON LARGE OBJECT 16003 FROM postgres;
     ALTER LARGE OBJECT 16004 OWNER TO ${quoted(role)};
     ALTER LARGE OBJECT 16001 OWNER TO ${quoted(role)};
     GRANT SELECT ON LARGE OBJECT 16001 TO PUBLIC`,
  );
  await pair.sql('target', `SELECT lo_from_bytea(16002, 'stale'), lo_from_bytea(17000, 'not on the source')`);
  expect(await copyLargeObjectsOf(100)).toBe(3);
  const { source, target } = await checksums();
  expect(source.count).toBe(257);
  expect(target).toEqual(source);
  const listed = await pair.results(LISTED);
  expect(listed.target).toEqual(listed.source);
  const [pages] = await pair.sql<{ count: string }>(
    'target',
    'SELECT count(*) FROM pg_largeobject WHERE loid = 16004',
  );
  expect(Number(pages?.count)).toBeLessThan(2100);
});

test('without owners and privileges', async () => {
  await pair.sql(
    'source',
    `SELECT lo_from_bytea(16002, '\\x00ff'); GRANT SELECT ON LARGE OBJECT 16002 TO PUBLIC;
     ALTER LARGE OBJECT 16002 OWNER TO ${quoted(role)}`,
  );
  await copyLargeObjectsOf(1000, true, true);
  expect((await pair.results(LISTED)).target).toEqual([
    { oid: 16002, owner: 'postgres', comment: null, acl: null },
  ]);
});

test('no large objects at all', async () => {
  expect(await copyLargeObjectsOf()).toBe(1);
  expect((await checksums()).target).toEqual({ count: 0, checksum: '0' });
});

test('a changed byte, another OID and a longer tail of zeros are other checksums', async () => {
  await pair.both(`SELECT lo_from_bytea(16002, '\\x0102'), lo_from_bytea(16003, 'x')`);
  const equal = await checksums();
  expect(equal.target).toEqual(equal.source);
  for (const change of [
    `SELECT lo_put(16002, 1, '\\x03')`,
    `SELECT lo_put(16002, 1, '\\x02'), lo_put(16002, 2, '\\x00')`,
    `SELECT lo_unlink(16002), lo_from_bytea(16009, '\\x0102')`,
  ]) {
    await pair.sql('target', change);
    const { source, target } = await checksums();
    expect(target.checksum).not.toBe(source.checksum);
  }
});

test('a run of batches is copied batch by batch, and what was copied before is passed over', async () => {
  await pair.sql('source', `SELECT lo_from_bytea(20000 + g, 'object') FROM generate_series(1, 10) g`);
  const request = testRequest(testAddress(14), testAddress(17), {});
  const session: Run['session'] = (side, database, work) =>
    withConnection(testEndpoint(pair.majors[side], side), database, never, work);
  const paced: Run['paced'] = (work) => work(new Pace(() => undefined));
  const run = { request, identity, signal: never, session, paced, progress: () => undefined };
  const copied = await pair.withScope(async (scope) => {
    const count = await pair.withSessions(scope, async (source, target) => {
      const largeObjects = await planLargeObjects(source, 2);
      await storePlan({ target, identity, plan: { tables: [], largeObjects } });
      const of = { source, target, identity, scope: scope.scope, noOwner: true, noPrivileges: true };
      await copyLargeObjects({ ...of, batch: 2, signal: never });
      return largeObjects.length;
    });
    const step = { request, database: pair.databases.source };
    return await copyLargeObjectsStep({ ...step, batch: [1, count] }, run as unknown as Run);
  });
  expect(copied.bytes).toBe(60);
  const { source, target } = await checksums();
  expect(target).toEqual(source);
  const batches = await pair.sql('target', 'SELECT DISTINCT copies FROM flexlift.large_object_batch');
  expect(batches).toEqual([{ copies: 1 }]);
});
