import { setTimeout as pause } from 'node:timers/promises';
import { DatabaseError, type Client } from 'pg';
import { FlexliftError } from '../../../contract';
import { resetAllForRecopy } from '../../../postgres/copy';
import { watchSource } from '../../../postgres/replicate/applier/source-watch';
import { eventually } from '../../support/eventually';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from './applier-fixture';

const DEADLOCK = '40P01';

const SCHEMA = `
  CREATE TABLE acc (id int PRIMARY KEY, n int NOT NULL, note text);
  INSERT INTO acc SELECT g, 0, 'start' FROM generate_series(1, 200) g;
  CREATE TABLE log (writer int, i int, what text);`;

let fixture: ReplicationFixture;
beforeEach(async () => {
  fixture = await ReplicationFixture.create(15, 17, SCHEMA);
});
afterEach(() => fixture.drop());

/** Writes until it is stopped; each transaction leaves a row in `log`, which has no key to catch a second one. */
async function write(client: Client, writer: number, stop: AbortSignal): Promise<number> {
  let committed = 0;
  for (let i = 0; !stop.aborted; i++) {
    const transaction = `BEGIN; INSERT INTO log VALUES (${writer}, ${i}, repeat('x', ${i % 100}));
      UPDATE acc SET n = n + 1, note = '${writer}/${i}' WHERE id % 17 = ${i % 17}; SAVEPOINT s;
      DELETE FROM acc WHERE id = ${1 + (i % 50)}; ${i % 3 === 0 ? 'ROLLBACK TO s;' : ''}
      INSERT INTO acc VALUES (${1 + (i % 50)}, 0, 'again') ON CONFLICT DO NOTHING;
      ${i % 40 === 39 ? 'TRUNCATE acc; INSERT INTO acc SELECT g, 1, NULL FROM generate_series(1, 100) g;' : ''} COMMIT`;
    try {
      await client.query(transaction);
      committed += 1;
    } catch (error) {
      // the writers meet on the same rows: one of them has to give way now and then
      if (!(error instanceof DatabaseError && error.code === DEADLOCK)) throw error;
      await client.query('ROLLBACK');
    }
    if (i % 5 === 0) await pause(2);
  }
  return committed;
}

it('loses nothing and doubles nothing however often its sessions are killed', async () => {
  const confirmation = fixture.watchConfirmation();
  const applier = fixture.runForever();
  const stop = new AbortController();
  const writers = await Promise.all([1, 2].map(() => fixture.session('source')));
  const writing = Promise.all(writers.map((client, index) => write(client, index, stop.signal)));
  for (let kill = 0; kill < 24; kill++) {
    await pause(60 + Math.random() * 300);
    await fixture.killSessions(kill % 2 === 0 ? 'target' : 'source');
  }
  stop.abort();
  const transactions = (await writing).reduce((a, b) => a + b, 0);
  for (const client of writers) await client.end();
  await fixture.caughtUp();
  expect(await applier.stop()).toBeGreaterThan(5);
  expect(await confirmation.stop()).toBeGreaterThan(10);
  await fixture.expectEqual();
  const { rows } = await fixture.target.query<{ count: number }>('SELECT count(*)::int FROM log');
  expect(rows[0]?.count).toBe(transactions);
  expect(await fixture.stateOf('acc')).toMatchObject({ stream_state: 'applied' });
});

it('confirms nothing of a batch that is not committed', async () => {
  const applier = fixture.run();
  await fixture.caughtUp();
  const lock = await fixture.session('target');
  await lock.query('BEGIN; LOCK TABLE acc IN ACCESS EXCLUSIVE MODE');
  const before = await fixture.ledgerLsn();
  await fixture.source.query(`UPDATE acc SET n = 7`);
  await fixture.source.query(`INSERT INTO log VALUES (1, 1, 'after')`);
  for (let look = 0; look < 30; look++) {
    expect(await fixture.confirmedLsn()).toBeLessThanOrEqual(before);
    await pause(50);
  }
  await lock.query('ROLLBACK');
  await lock.end();
  await fixture.caughtUp();
  await fixture.expectEqual();
  await applier.stop();
});

it('lets one of two appliers win, and blames no table', async () => {
  const zombie = fixture.run();
  await fixture.caughtUp();
  // the zombie stands in the middle of a batch: it waits for the table, its stream is taken from it
  const lock = await fixture.session('target');
  await lock.query('BEGIN; LOCK TABLE log IN ACCESS EXCLUSIVE MODE');
  await fixture.source.query(
    `BEGIN; INSERT INTO acc VALUES (1000, 1, 'once'); INSERT INTO log VALUES (1, 1, 'once'); COMMIT`,
  );
  await eventually(
    'the zombie to wait',
    async () =>
      (
        await fixture.target.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND starts_with(application_name, $1)`,
          [fixture.workPrefix],
        )
      ).rowCount === 1,
  );
  const heir = fixture.run({ predecessorPrefix: 'flexlift:none' });
  const outcome = heir.result.then(
    () => undefined,
    (error: unknown) => error,
  );
  // while the zombie's walsender holds the slot, the heir is refused
  expect(await outcome).toMatchObject({ code: 'Contention' });
  await fixture.killSessions('source');
  const second = fixture.run({ predecessorPrefix: 'flexlift:none' });
  await pause(500);
  await lock.query('ROLLBACK');
  await lock.end();
  const [first, next] = await Promise.allSettled([
    zombie.result,
    Promise.race([second.result, pause(1_500)]),
  ]);
  expect(first.status === 'rejected' || next.status === 'rejected').toBe(true);
  await second.stop().catch(() => undefined);
  const last = fixture.run();
  await fixture.caughtUp();
  await last.stop();
  await fixture.expectEqual();
  expect(await fixture.stateOf('acc')).toMatchObject({ stream_state: 'applied', stopped_by: null });
  expect(await fixture.stateOf('log')).toMatchObject({ stream_state: 'applied', stopped_by: null });
});

it('notices a ledger that was moved on behind its back', async () => {
  const applier = fixture.run();
  await fixture.caughtUp();
  await fixture.target.query(`UPDATE flexlift.stream SET lsn = lsn + 8`);
  await fixture.source.query(`UPDATE acc SET n = 8`);
  await expect(applier.result).rejects.toMatchObject({ code: 'Contention' });
  expect((await fixture.target.query('SELECT FROM acc WHERE n = 8')).rowCount).toBe(0);
});

it('writes nothing into tables that are all set to be copied anew', async () => {
  const applier = fixture.run();
  await fixture.caughtUp();
  const { target, identity } = fixture;
  await resetAllForRecopy({ target, identity });
  await fixture.source.query(`INSERT INTO acc VALUES (4711, 1, 'for the copy to bring')`);
  await expect(applier.result).rejects.toMatchObject({ code: 'Contention' });
  expect((await target.query('SELECT FROM acc')).rowCount).toBe(0);
});

it('notices a target that was restored to an earlier state', async () => {
  const { rows } = await fixture.target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
  const applier = fixture.run();
  await fixture.source.query(`UPDATE acc SET n = 9`);
  await fixture.caughtUp();
  await eventually(
    'the confirmation',
    async () => (await fixture.confirmedLsn()) === (await fixture.ledgerLsn()),
  );
  await applier.stop();
  await fixture.target.query('UPDATE flexlift.stream SET lsn = $1', [rows[0]?.lsn]);
  await expect(fixture.run().result).rejects.toMatchObject({ code: 'TargetRewound' });
});

it('notices a source that is behind the ledger, and another source', async () => {
  await fixture.target.query(`UPDATE flexlift.stream SET lsn = 'FFFF/0'`);
  await expect(fixture.run().result).rejects.toMatchObject({ code: 'SourceRewound' });
  await fixture.target.query(
    `UPDATE flexlift.stream SET lsn = (SELECT copy_lsn FROM flexlift.table_load LIMIT 1), system_identifier = '1'`,
  );
  await expect(fixture.run().result).rejects.toMatchObject({ code: 'SourceRewound' });
});

describe('the watch of the source', () => {
  const watch = (change: { slot?: string; system?: string }, onSlot: () => void = () => undefined) =>
    watchSource({
      endpoint: testEndpoint(15, 'source'),
      database: fixture.database,
      stream: { slot: change.slot ?? fixture.slot, systemIdentifier: change.system ?? '' },
      interval: 50,
      onPosition: () => undefined,
      onSlot,
      onDrift: () => undefined,
      signal: AbortSignal.timeout(60_000),
    });

  it('tells a lost slot from a source that is another server for a while', async () => {
    await expect(watch({ slot: 'gone', system: '1' })).rejects.toMatchObject({ code: 'SourceRewound' });
    await expect(watch({ slot: 'gone' })).rejects.toMatchObject({ code: 'SlotLost' });
  });

  it('finds at its next look that a slot which nobody reads is gone', async () => {
    const slot = 'unread';
    await fixture.source.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slot]);
    let looks = 0;
    const lost = expect(watch({ slot }, () => looks++)).rejects.toMatchObject({ code: 'SlotLost' });
    await eventually('some looks', () => Promise.resolve(looks > 2));
    await fixture.source.query('SELECT pg_drop_replication_slot($1)', [slot]);
    const before = looks;
    await lost;
    // an answer may have been under way
    expect(looks).toBeLessThanOrEqual(before + 1);
  });
});

it('applies nothing where the load was ended before its end', async () => {
  const { target } = fixture;
  const log = await fixture.oidOf('log');
  await target.query(`DELETE FROM flexlift.step WHERE kind = 'phase' AND key = 'load'`);
  await target.query(`UPDATE flexlift.part SET copied_at = NULL WHERE table_oid = ${log}`);
  await fixture.source.query(`INSERT INTO log VALUES (1, 1, 'x')`);
  await expect(fixture.run().result).rejects.toMatchObject({
    code: 'LoadIncomplete',
    fields: { object: '"public"."log"' },
  });
  expect((await target.query('SELECT FROM log')).rowCount).toBe(0);
  await target.query(`UPDATE flexlift.part SET copied_at = now() WHERE table_oid = ${log}`);
  await expect(fixture.run().result).rejects.toThrow('indexes are missing');
  await target.query(`INSERT INTO flexlift.step (kind, key) VALUES ('phase', 'load')`);
  const applier = fixture.run();
  await fixture.caughtUp();
  await applier.stop();
});

it('says that its slot is gone', async () => {
  const failure = (async () => {
    for (;;) {
      try {
        await fixture.run().result;
      } catch (error) {
        if (error instanceof FlexliftError && error.failureClass !== 'transient') return error;
        await pause(50);
      }
    }
  })();
  await fixture.caughtUp();
  await eventually(
    'the slot to be dropped',
    async () => {
      await fixture.killSessions('source');
      return await fixture.source.query('SELECT pg_drop_replication_slot($1)', [fixture.slot]).then(
        () => true,
        () => false,
      );
    },
    { interval: 1 },
  );
  expect(await failure).toMatchObject({ code: 'SlotLost' });
});

it('ends at once by its signal, and between batches by its stop or its time', async () => {
  const abort = new AbortController();
  const aborted = fixture.run({ signal: abort.signal });
  await fixture.caughtUp();
  const lock = await fixture.session('target');
  await lock.query('BEGIN; LOCK TABLE acc IN ACCESS EXCLUSIVE MODE');
  await fixture.source.query(`UPDATE acc SET n = 10`);
  await pause(300);
  abort.abort(new Error('told to'));
  await expect(aborted.result).rejects.toThrow('told to');
  await lock.query('ROLLBACK');
  await lock.end();
  expect(await fixture.run({ seconds: 0.5 }).result).toMatchObject({ ended: 'time' });
  const stopped = fixture.run();
  await fixture.caughtUp();
  expect(await stopped.stop()).toMatchObject({ ended: 'stopped' });
  await fixture.expectEqual();
});
