import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { becomeProver } from '../../../postgres/ledger';
import { isMarkerMet } from '../../../postgres/replicate/applier';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { eventually } from '../../support/eventually';
import type { Major } from '../../support/servers';
import { ReplicationFixture } from './applier-fixture';

const SCHEMA = `
  CREATE TABLE a (id int PRIMARY KEY, v text);
  CREATE TABLE log (i int);
  INSERT INTO a SELECT g, 'start' FROM generate_series(1, 20) g;`;

const until = (marker: string, quietFrom?: string) => ({ until: { marker, quietFrom } });

describe.each<[Major, Major]>([
  [15, 17],
  [11, 18],
  [14, 11],
])('markers from %d to %d', (source, target) => {
  let fixture: ReplicationFixture;
  beforeEach(async () => {
    fixture = await ReplicationFixture.create(source, target, SCHEMA);
  });
  afterEach(() => fixture.drop());

  it('ends with the marker: all before it, nothing behind it', async () => {
    await fixture.source.query(`UPDATE a SET v = 'before'`);
    await fixture.writeMarker('another');
    await fixture.writeMarker('the one');
    await fixture.source.query(`UPDATE a SET v = 'behind'`);
    const { ended, progress } = await fixture.run(until('the one')).result;
    expect(ended).toBe('marker');
    expect(parseLsn(progress.lsn)).toBe(await fixture.ledgerLsn());
    const { rows } = await fixture.target.query('SELECT DISTINCT v FROM a');
    expect(rows).toEqual([{ v: 'before' }]);
    // an attempt that died after the commit left the marker behind: it is not waited for again
    expect(await fixture.run(until('the one')).result).toMatchObject({ ended: 'marker' });
    expect((await fixture.target.query('SELECT DISTINCT v FROM a')).rows).toEqual([{ v: 'before' }]);
  });

  it('applies what comes before the marker that it is quiet from, returns what comes behind, and applies it later', async () => {
    const quiet = fixture.run(until('second', 'first'));
    await fixture.source.query(`UPDATE a SET v = 'before'`);
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await fixture.writeMarker('first');
    await untilMet('first');
    expect((await fixture.target.query('SELECT FROM log')).rowCount).toBe(1);
    const before = await fixture.ledgerLsn();
    await fixture.source.query(`CREATE TABLE noise (i int); DROP TABLE noise`);
    await fixture.source.query('INSERT INTO log VALUES (2)');
    await fixture.source.query(`UPDATE a SET v = 'late'`);
    // it is not waited for: what came behind the first marker ends the run
    const { ended, refused } = await quiet.result;
    expect(ended).toBe('refused');
    expect(refused).toMatchObject({ table: '"public"."log"' });
    expect(Math.abs(Date.now() - Date.parse(refused?.commitTime ?? ''))).toBeLessThan(10_000);
    expect(await fixture.ledgerLsn()).toBe(before);
    await fixture.writeMarker('second');
    expect(await fixture.run(until('second', 'first')).result).toMatchObject({ ended: 'refused', refused });
    const applier = fixture.run();
    await fixture.caughtUp();
    await applier.stop();
    await fixture.expectEqual();
    // it was met by a run that refused nothing
    await expect(fixture.run(until('second', 'first')).result).rejects.toMatchObject({
      code: 'CutoverRefused',
    });
  });

  it('goes on behind the marker that it is quiet from where another run has died', async () => {
    await fixture.source.query(`UPDATE a SET v = 'before'`);
    const first = fixture.run(until('end', 'begin'));
    await fixture.writeMarker('begin');
    await untilMet('begin');
    await first.stop();
    const second = fixture.run(until('end', 'begin'));
    await fixture.writeMarker('end');
    expect(await second.result).toMatchObject({ ended: 'marker' });
    // so it does where it died after its end
    expect(await fixture.run(until('end', 'begin')).result).toMatchObject({ ended: 'marker' });
    await fixture.expectEqual();
  });

  it('is not quiet from a marker behind which another run may have applied something', async () => {
    await fixture.writeMarker('begin');
    await fixture.source.query('INSERT INTO log VALUES (1)');
    const other = fixture.run();
    await fixture.caughtUp();
    await other.stop();
    await expect(fixture.run(until('end', 'begin')).result).rejects.toMatchObject({ code: 'CutoverRefused' });
  });

  const untilMet = (marker: string) =>
    eventually(`${marker} to be met`, () => isMarkerMet(fixture.target, { marker }));
});

describe('a proof', () => {
  let fixture: ReplicationFixture;
  let prover: Client;
  beforeEach(async () => {
    fixture = await ReplicationFixture.create(15, 17, SCHEMA);
    prover = await fixture.session('target');
    await becomeProver(prover);
  });
  afterEach(async () => {
    await prover.end();
    await fixture.drop();
  });

  const want = async (state = 'wanted') =>
    (
      await prover.query<{ request: number }>(
        `INSERT INTO flexlift.proof_request (state) VALUES ($1) RETURNING request`,
        [state],
      )
    ).rows[0]?.request ?? 0;

  const reaches = (request: number, state: string) =>
    eventually(`the request to be ${state}`, async () => {
      const { rows } = await prover.query<{ state: string; snapshot: string | null }>(
        'SELECT state, snapshot FROM flexlift.proof_request WHERE request = $1',
        [request],
      );
      return rows[0]?.state === state ? rows[0] : undefined;
    });

  const aim = async (request: number) => {
    const { rows } = await fixture.source.query<{ lsn: string; count: number }>(
      `SELECT lsn, (SELECT count(*)::int FROM log) AS count
         FROM pg_create_logical_replication_slot($1, 'pgoutput', true)`,
      [`applier_aim_${request}_${fixture.identity.migrationId}`],
    );
    await prover.query(`UPDATE flexlift.proof_request SET state = 'aimed', aim_lsn = $2 WHERE request = $1`, [
      request,
      rows[0]?.lsn,
    ]);
    return rows[0]?.count ?? 0;
  };

  const countIn = async (snapshot: string | null) => {
    await prover.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '${snapshot}'`,
    );
    const { rows } = await prover.query<{ count: number }>('SELECT count(*)::int FROM log');
    await prover.query('COMMIT');
    return rows[0]?.count;
  };

  const sessions = async () =>
    (
      await prover.query(
        `SELECT FROM pg_stat_activity WHERE starts_with(application_name, $1) AND datname = current_database()`,
        [fixture.workPrefix],
      )
    ).rowCount;

  it('holds, goes on to exactly the aim, gives a snapshot of it and applies on meanwhile', async () => {
    const applier = fixture.run();
    await fixture.caughtUp();
    for (let round = 0; round < 2; round++) {
      const request = await want();
      await reaches(request, 'held');
      const at = await fixture.ledgerLsn();
      await fixture.source.query('INSERT INTO log VALUES (1)');
      await pause(300);
      expect(await fixture.ledgerLsn()).toBe(at);
      // the snapshot's moment, and commits behind it that are at hand already when the aim is set
      const before = await fixture.source.query<{ count: number }>('SELECT count(*)::int FROM log');
      await fixture.source.query('BEGIN');
      await fixture.source.query('COMMIT');
      const held = before.rows[0]?.count ?? 0;
      const aimed = await aimBetween(request);
      const { snapshot } = await reaches(request, 'reached');
      expect(await countIn(snapshot)).toBe(held);
      expect(aimed).toBe(held + 3);
      await fixture.caughtUp();
      expect(await countIn(snapshot)).toBe(held);
      expect(await sessions()).toBe(2);
      await prover.query(`UPDATE flexlift.proof_request SET state = 'over' WHERE request = $1`, [request]);
      await eventually('its session to end', async () => (await sessions()) === 1);
    }
    await applier.stop();
    await fixture.expectEqual();
  });

  /** Sets the aim only after three more commits came behind the snapshot. */
  const aimBetween = async (request: number) => {
    const { rows } = await fixture.source.query<{ lsn: string }>(
      `SELECT lsn FROM pg_create_logical_replication_slot($1, 'pgoutput', true)`,
      [`applier_aim_${request}_${fixture.identity.migrationId}`],
    );
    for (let i = 0; i < 3; i++) await fixture.source.query('INSERT INTO log VALUES (2)');
    await pause(200);
    await prover.query(`UPDATE flexlift.proof_request SET state = 'aimed', aim_lsn = $2 WHERE request = $1`, [
      request,
      rows[0]?.lsn,
    ]);
    const after = await fixture.source.query<{ count: number }>('SELECT count(*)::int FROM log');
    return after.rows[0]?.count;
  };

  it('reaches an aim on a source where nothing follows', async () => {
    const applier = fixture.run();
    await fixture.caughtUp();
    const request = await want();
    await reaches(request, 'held');
    await fixture.source.query('INSERT INTO log VALUES (1)');
    const expected = await aim(request);
    const started = performance.now();
    const { snapshot } = await reaches(request, 'reached');
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(await countIn(snapshot)).toBe(expected);
    await applier.stop();
  });

  it('takes up what an earlier run left, and ends what cannot be kept', async () => {
    const first = fixture.run();
    await fixture.caughtUp();
    const stale = await want();
    await reaches(stale, 'held');
    const request = await want();
    await reaches(request, 'held');
    await reaches(stale, 'over');
    // nothing is applied under the hold, by the end of its run neither
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await pause(200);
    expect(await first.stop()).toMatchObject({ ended: 'stopped' });
    expect((await fixture.target.query('SELECT FROM log')).rowCount).toBe(0);
    const expected = await aim(request);
    await fixture.source.query('INSERT INTO log VALUES (1)');
    const second = fixture.run();
    const { snapshot } = await reaches(request, 'reached');
    expect(await countIn(snapshot)).toBe(expected);
    await second.stop();
    const third = fixture.run();
    await reaches(request, 'over');
    await third.stop();
    // a drain serves no proofs
    const ignored = await want();
    await fixture.writeMarker('drained');
    await fixture.run(until('drained')).result;
    await reaches(ignored, 'over');
  });
});
