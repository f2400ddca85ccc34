import type { Client } from 'pg';
import { withConnection } from '../../../postgres/connect';
import { compareUnderSnapshots } from '../../../postgres/prove/compare-under-snapshots';
import type { ProofSessions } from '../../../postgres/prove/proof-sessions';
import {
  createTestDatabase,
  dropTestDatabase,
  testEndpoint,
  withSession,
  type Major,
} from '../../support/servers';

const { signal } = new AbortController();
const MAJORS: { source: Major; target: Major } = { source: 11, target: 17 };
const SCHEMA = `
  DROP TABLE IF EXISTS public.t, public.other;
  CREATE TABLE public.t (id int PRIMARY KEY, v int, w int);
  INSERT INTO public.t SELECT n, n, n FROM generate_series(1, 100) n;
  CREATE TABLE public.other (id int PRIMARY KEY); INSERT INTO public.other VALUES (1)`;

let databases: { source: string; target: string };
/** On the source. */
let oids: Record<string, number>;
beforeAll(async () => {
  databases = {
    source: await createTestDatabase(MAJORS.source, 'prove_snap'),
    target: await createTestDatabase(MAJORS.target, 'prove_snap'),
  };
});
afterAll(async () => {
  await dropTestDatabase(MAJORS.source, databases.source);
  await dropTestDatabase(MAJORS.target, databases.target);
});
beforeEach(async () => {
  await change('source', SCHEMA);
  await change('target', SCHEMA);
  const { rows } = await connected('source', (client) =>
    client.query<{ name: string; oid: number }>(
      `SELECT relname AS name, oid FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
    ),
  );
  oids = Object.fromEntries(rows.map(({ name, oid }) => [name, oid]));
});

const change = (side: 'source' | 'target', sql: string) =>
  withSession(MAJORS[side], databases[side], (client) => client.query(sql));

const connected = <T>(side: 'source' | 'target', work: (client: Client) => Promise<T>) =>
  withConnection(testEndpoint(MAJORS[side], side), databases[side], signal, work);

/** Both readers have their snapshots already. */
async function underSnapshots(work: (sessions: ProofSessions) => Promise<void>): Promise<void> {
  const begin = async (client: Client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return rows[0]?.pid ?? 0;
  };
  await connected('source', (source) =>
    connected('source', (sourceLookout) =>
      connected('target', (target) =>
        connected('target', async (ledger) =>
          work({
            source: { reader: source, readerPid: await begin(source), lookout: sourceLookout },
            target: { reader: target, readerPid: await begin(target), lookout: ledger },
            ledger,
          }),
        ),
      ),
    ),
  );
}

const table = (name: string) => ({ oid: oids[name] ?? 0, schema: 'public', name });
const EQUAL = { source: expect.any(Object) as object, mark: expect.any(String) as string };

it.each(['source', 'target'] as const)('what is committed on the %s later does not count', (side) =>
  underSnapshots(async (sessions) => {
    await change(
      side,
      'DELETE FROM public.t WHERE id > 50; UPDATE public.t SET v = 0; ALTER TABLE public.t ADD x int',
    );
    expect(await compareUnderSnapshots(sessions, [table('t')], signal)).toEqual([EQUAL]);
  }),
);

it('all differences are found in one transaction, and their locks are gone after each', async () => {
  await change('target', 'UPDATE public.t SET v = 0 WHERE id = 7; DELETE FROM public.other');
  await underSnapshots(async (sessions) => {
    expect(await compareUnderSnapshots(sessions, [table('t')], signal)).toMatchObject([
      { difference: { kind: 'checksum', keys: ['id = 7 (differs)'] } },
    ]);
    await change('source', `SET lock_timeout = '1s'; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE`);
    await change('target', `SET lock_timeout = '1s'; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE`);
    const onlyOnSource = { difference: { kind: 'rows', keys: ['id = 1 (only on source)'] } };
    expect(await compareUnderSnapshots(sessions, [table('other')], signal)).toMatchObject([onlyOnSource]);
    expect(await compareUnderSnapshots(sessions, [table('other'), table('t')], signal)).toMatchObject([
      onlyOnSource,
      { difference: { kind: 'checksum' } },
    ]);
  });
});

it('several tables need no more round trips than one', async () => {
  await underSnapshots(async (sessions) => {
    const queries = [sessions.source.reader, sessions.target.reader].map((reader) =>
      jest.spyOn(reader, 'query'),
    );
    const trips = async (names: string[]) => {
      for (const query of queries) query.mockClear();
      expect(await compareUnderSnapshots(sessions, names.map(table), signal)).toEqual(names.map(() => EQUAL));
      return queries.map((query) => query.mock.calls.length);
    };
    expect(await trips(['t', 'other'])).toEqual(await trips(['t']));
  });
});

it('a table that somebody has locked is undecided, and no other one with it', async () => {
  await underSnapshots(async (sessions) => {
    await sessions.target.reader.query(`SET LOCAL lock_timeout = '200ms'`);
    await withSession(MAJORS.target, databases.target, async (client) => {
      await client.query('BEGIN; LOCK TABLE public.t IN ACCESS EXCLUSIVE MODE');
      const found = await compareUnderSnapshots(sessions, [table('other'), table('t')], signal);
      expect(found).toEqual([EQUAL, 'undecided']);
    });
  });
});

it.each(
  (['source', 'target'] as const).flatMap((side) =>
    [
      'TRUNCATE public.t',
      'ALTER TABLE public.t ALTER v TYPE bigint',
      'ALTER TABLE public.t DROP v',
      'DROP TABLE public.t',
      'ALTER TABLE public.t RENAME TO u',
      'DROP TABLE public.t; CREATE TABLE public.t (id int PRIMARY KEY, v int, w int)',
    ].map((sql) => [side, sql] as const),
  ),
)('nothing is said of a table after, on the %s: %s', async (side, sql) => {
  await underSnapshots(async (sessions) => {
    await change(side, sql);
    expect(await compareUnderSnapshots(sessions, [table('t')], signal)).toEqual(['undecided']);
    expect(await compareUnderSnapshots(sessions, [table('t'), table('other')], signal)).toEqual([
      'undecided',
      EQUAL,
    ]);
  });
  await change(side, 'DROP TABLE IF EXISTS public.u');
});

it.each(['source', 'target'] as const)('whoever waits for the lock on the %s gets it soon', async (side) => {
  await change(side, 'INSERT INTO public.t SELECT n FROM generate_series(1000, 1500) n');
  // a value that takes long to be read; the checksum of 500 of them lasts for a minute
  const slow = 'id IN (SELECT id FROM public.t) AND pg_sleep(0.1) IS NOT NULL';
  await underSnapshots(async (sessions) => {
    const comparing = compareUnderSnapshots(sessions, [{ ...table('t'), condition: slow }], signal);
    await withSession(MAJORS[side], databases[side], async (client) => {
      await client.query('SELECT pg_sleep(0.3)');
      const start = Date.now();
      await client.query('TRUNCATE public.t');
      expect(Date.now() - start).toBeLessThan(5_000);
    });
    expect(await comparing).toEqual(['undecided']);
    expect(await compareUnderSnapshots(sessions, [table('other')], signal)).toEqual([EQUAL]);
  });
});
