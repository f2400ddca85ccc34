import type { Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { eventually } from '../../support/eventually';
import { StandIn } from '../../support/stand-in';
import { progressLog, ReplicationFixture } from './applier-fixture';

const MEGABYTE = 1024 ** 2;
const LIMIT = 6 * MEGABYTE;
const SCHEMA = 'CREATE TABLE t (id int PRIMARY KEY)';

let source: StandIn;
let fixture: ReplicationFixture;

/** A source that keeps little WAL for a slot, in place of this file's server of major 15. */
beforeAll(async () => {
  source = await StandIn.start(15, { fsync: false, wal_level: 'logical', max_slot_wal_keep_size: '6MB' }, [
    '--wal-segsize=1',
  ]);
});
afterAll(async () => {
  await source.remove();
});
beforeEach(async () => {
  fixture = await ReplicationFixture.create(15, 17, SCHEMA);
});
afterEach(() => fixture.drop());

/** Each message commits: what no commit waits for may be missing in the server's position for a while. */
async function write(client: Client, bytes: number): Promise<void> {
  const chunk = 64 * 1024;
  for (let written = 0; written < bytes; written += chunk) {
    await client.query(`SELECT pg_logical_emit_message(true, 'another', repeat('x', ${chunk}))`);
  }
}

async function retained(): Promise<number> {
  const { rows } = await fixture.source.query<{ bytes: number }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int AS bytes FROM pg_replication_slots
      WHERE slot_name = $1`,
    [fixture.slot],
  );
  return rows[0]?.bytes ?? 0;
}

/** Of runs that follow each other, as the activity's retries do; the failure that no retry mends. */
async function lastFailure(): Promise<unknown> {
  for (;;) {
    try {
      return await fixture.run({ watchInterval: 200 }).result;
    } catch (error) {
      if (!(error instanceof FlexliftError) || error.failureClass !== 'transient') return error;
    }
  }
}

it('says how much WAL the source keeps, up to which limit, and for how long that will do', async () => {
  // keeps the slot from letting go of anything
  await fixture.source.query('BEGIN; INSERT INTO t VALUES (1)');
  const writer = await fixture.session('source');
  const log = progressLog();
  const applier = fixture.run({ watchInterval: 100, onProgress: log.onProgress });
  await eventually('a first look at the slot', () =>
    Promise.resolve(log.all.some(({ retainedLimitBytes }) => retainedLimitBytes !== undefined)),
  );
  await write(writer, 3 * MEGABYTE);
  const least = await retained();
  expect(least).toBeGreaterThan(3 * MEGABYTE);
  const figures = await eventually('the figures', () =>
    Promise.resolve(log.all.find(({ retainedBytes }) => retainedBytes >= least)),
  );
  const most = await retained();
  expect(figures.retainedLimitBytes).toBe(LIMIT);
  expect(figures.retainedBytes).toBeLessThanOrEqual(most);
  expect(figures.secondsToLimit).toBeGreaterThanOrEqual(0);
  await writer.end();
  await fixture.source.query('COMMIT');
  await applier.stop();
});

it('names the slot lost where the limit is reached', async () => {
  await fixture.source.query('BEGIN; INSERT INTO t VALUES (1)');
  const writer = await fixture.session('source');
  const failure = lastFailure();
  await eventually('the slot to be read', async () => {
    const { rowCount } = await writer.query(
      'SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active',
      [fixture.slot],
    );
    return rowCount === 1;
  });
  await write(writer, LIMIT + 3 * MEGABYTE);
  await writer.query('CHECKPOINT');
  await writer.end();
  expect(await failure).toMatchObject({ code: 'SlotLost' });
  await fixture.source.query('ROLLBACK');
});

it('names it lost in the middle of a batch that waits on the target', async () => {
  const lock = await fixture.session('target');
  await lock.query('BEGIN; LOCK TABLE t');
  await fixture.source.query('INSERT INTO t VALUES (1)');
  const failure = fixture.run({ watchInterval: 200 }).result;
  await eventually('the batch to wait', async () => {
    const { rowCount } = await fixture.target.query(
      `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(application_name, $1)`,
      [fixture.workPrefix],
    );
    return rowCount === 1;
  });
  await write(fixture.source, LIMIT + 3 * MEGABYTE);
  await fixture.source.query('CHECKPOINT');
  await expect(failure).rejects.toMatchObject({
    code: 'SlotLost',
    message: expect.stringMatching(/removed WAL/) as string,
  });
  await lock.query('ROLLBACK');
  await lock.end();
  expect((await fixture.target.query('SELECT FROM t')).rowCount).toBe(0);
});

it.each([11, 14] as const)('knows of no limit where none is set, PostgreSQL %d', async (major) => {
  const unlimited = await ReplicationFixture.create(major, 17, SCHEMA);
  try {
    const log = progressLog();
    const applier = unlimited.run({ watchInterval: 100, onProgress: log.onProgress });
    await eventually('a look at the slot', () =>
      Promise.resolve(log.all.some(({ retainedBytes }) => retainedBytes > 0)),
    );
    const { progress } = await applier.stop();
    expect(progress.retainedLimitBytes).toBeUndefined();
    expect(progress.secondsToLimit).toBeUndefined();
  } finally {
    await unlimited.drop();
  }
});
