import { eventually } from '../../support/eventually';
import { ReplicationFixture } from './applier-fixture';

const ROWS = 300_000;

it('applies a transaction larger than a batch as it arrives, with flat memory, and whole', async () => {
  const fixture = await ReplicationFixture.create(
    15,
    17,
    `CREATE TABLE big (id int PRIMARY KEY, body text); CREATE TABLE small (id int PRIMARY KEY, v int);
     INSERT INTO small VALUES (1, 0); CREATE TABLE log (i int)`,
  );
  try {
    await fixture.source.query(`BEGIN; UPDATE small SET v = 1;
      INSERT INTO big SELECT g, repeat('x', 100) FROM generate_series(1, ${ROWS}) g; UPDATE small SET v = 2; COMMIT`);
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await fixture.target.query(`INSERT INTO flexlift.proof_request (state) VALUES ('over')`);
    const before = process.memoryUsage().rss;
    let most = 0;
    const sampler = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    const confirmation = fixture.watchConfirmation();
    const applier = fixture.runForever();
    // killed in its middle: nothing of it may stay
    await eventually('its first rows to be written', async () => {
      const { rows } = await fixture.target.query<{ size: number }>(
        `SELECT pg_relation_size('big')::int AS size`,
      );
      return (rows[0]?.size ?? 0) > 1_000_000;
    });
    await fixture.killSessions('target');
    expect((await fixture.target.query('SELECT FROM big LIMIT 1')).rowCount).toBe(0);
    await fixture.caughtUp(60_000);
    clearInterval(sampler);
    expect(await applier.stop()).toBeGreaterThan(0);
    await confirmation.stop();
    await fixture.expectEqual();
    expect((most - before) / 1024 ** 2).toBeLessThan(200);
    const { rows } = await fixture.target.query<{ transactions: number; inserts: number; keys: number }>(
      `SELECT transactions::int, inserts::int,
              (SELECT count(*)::int FROM flexlift.changed_rows, jsonb_array_elements(keys)) AS keys
         FROM flexlift.stream`,
    );
    expect(rows[0]).toMatchObject({ transactions: 2, inserts: ROWS + 1 });
    expect(rows[0]?.keys).toBeLessThan(ROWS);
    const unnamed = await fixture.target.query(
      'SELECT FROM flexlift.changed_rows WHERE keys IS NULL AND lsn <= (SELECT lsn FROM flexlift.stream)',
    );
    expect(unnamed.rowCount).toBeGreaterThan(0);
  } finally {
    await fixture.drop();
  }
});
