import { quoteIdentifier } from '../../../postgres/connect';
import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { FencedSource } from './support';

let source: FencedSource;
afterEach(() => source.drop());

test('fifty writers that reconnect all the time write nothing once the fence stands', async () => {
  source = await FencedSource.create(17);
  const own = await source.createRole('writer');
  await source.admin(
    `ALTER ROLE ${quoteIdentifier(own)} IN DATABASE ${quoteIdentifier(source.database)} SET default_transaction_read_only = off`,
  );
  const stop = new AbortController();
  const writers = Array.from({ length: 50 }, (_, n) =>
    write(n % 5 === 0 ? own : source.owner, n, stop.signal),
  );
  try {
    await eventually('rows', async () => (await rowCount()) > 100);
    const { endedSessions } = await source.raise();
    const atFence = await rowCount();
    expect(endedSessions).toBeGreaterThan(0);
    const tries = attempts;
    await eventually('more attempts', () => Promise.resolve(attempts > tries + 100));
    expect(await rowCount()).toBe(atFence);
    expect(await source.lift()).toBe(true);
    await eventually('writers that go on', async () => (await rowCount()) > atFence);
  } finally {
    stop.abort();
    await Promise.all(writers);
  }
});

let attempts = 0;

/** Connects, opens a transaction that lasts, writes some rows, and begins anew whatever happens. */
async function write(user: string, writer: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const client = await source.connect(user).catch(() => undefined);
    attempts += 1;
    try {
      for (let n = 0; n < 10 && !signal.aborted; n++) {
        await client?.query('BEGIN; SELECT pg_sleep(0.02)');
        await client?.query(`INSERT INTO t (writer) VALUES (${writer}); COMMIT`);
      }
    } catch {
      // ended or read-only: that is what is wanted
    } finally {
      await client?.end().catch(() => undefined);
    }
  }
}

async function rowCount(): Promise<number> {
  return await withSession(source.major, source.database, async (client) => {
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM t');
    return rows[0]?.n ?? 0;
  });
}

test('a session that read its settings just before the fence and shows itself just after it is ended', async () => {
  source = await FencedSource.create(17);
  const role = await source.createRole('starting');
  // it sleeps between reading its settings and appearing in pg_stat_activity
  const starting = source.connect(role, { options: '-c post_auth_delay=3' });
  await eventually('a session that starts', () =>
    withSession(source.major, 'postgres', async (client) => {
      const { rowCount } = await client.query(
        `SELECT FROM pg_locks JOIN pg_database d ON d.oid = objid
          WHERE classid = 'pg_database'::regclass AND mode = 'RowExclusiveLock' AND datname = $1`,
        [source.database],
      );
      return rowCount === 1;
    }),
  );
  expect(await source.raise()).toMatchObject({ endedSessions: 1 });
  const client = await starting;
  await expect(client.query('INSERT INTO t (writer) VALUES (1)')).rejects.toThrow();
});

test('sessions of the migration and of those who only pretend are told apart', async () => {
  source = await FencedSource.create(14);
  const role = await source.createRole('thief');
  const ours = await source.connect(source.owner, { applicationName: source.endpoint.applicationName });
  const thief = await source.connect(role, { applicationName: source.endpoint.applicationName });
  expect(await source.raise()).toMatchObject({ endedSessions: 1 });
  expect((await ours.query('SELECT 1')).rowCount).toBe(1);
  await expect(thief.query('SELECT 1')).rejects.toThrow();
  await ours.end();
});
