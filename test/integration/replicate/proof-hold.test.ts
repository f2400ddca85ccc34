import type { Client } from 'pg';
import { becomeProver } from '../../../postgres/ledger';
import { eventually } from '../../support/eventually';
import { ReplicationFixture } from './applier-fixture';

/** Far below what the applier grants a prover by itself. */
const SOON = 5_000;

let fixture: ReplicationFixture;
let prover: Client;
beforeEach(async () => {
  fixture = await ReplicationFixture.create(15, 17, 'CREATE TABLE log (i int)');
  prover = await fixture.session('target');
  await becomeProver(prover);
});
afterEach(async () => {
  await prover.end().catch(() => undefined);
  await fixture.drop();
});

async function want(): Promise<number> {
  const { rows } = await prover.query<{ request: number }>(
    `INSERT INTO flexlift.proof_request (state) VALUES ('wanted') RETURNING request`,
  );
  return rows[0]?.request ?? 0;
}

async function stateOf(request: number): Promise<string | undefined> {
  const { rows } = await fixture.target.query<{ state: string }>(
    'SELECT state FROM flexlift.proof_request WHERE request = $1',
    [request],
  );
  return rows[0]?.state;
}

const untilState = (request: number, state: string, timeout = SOON) =>
  eventually(`the request to be ${state}`, async () => (await stateOf(request)) === state, {
    timeout,
    interval: 20,
  });

/** Where the source stands now. */
async function aim(request: number): Promise<void> {
  const { rows } = await fixture.source.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn() AS lsn');
  await prover.query(`UPDATE flexlift.proof_request SET state = 'aimed', aim_lsn = $2 WHERE request = $1`, [
    request,
    rows[0]?.lsn,
  ]);
}

/** Ends the prover's session from outside, as the end of its worker does. */
async function killProver(): Promise<void> {
  const { rows } = await prover.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await fixture.target.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
}

describe('a prover that was killed', () => {
  it('is not waited for by an applier that comes later', async () => {
    const request = await want();
    await killProver();
    await fixture.source.query('INSERT INTO log VALUES (1)');
    const applier = fixture.run();
    await fixture.caughtUp(SOON);
    expect(await stateOf(request)).toBe('over');
    await applier.stop();
    await fixture.expectEqual();
  });

  it('is not waited for by the applier that stands still for it', async () => {
    const applier = fixture.run();
    await fixture.caughtUp();
    const request = await want();
    await untilState(request, 'held');
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await killProver();
    await fixture.caughtUp(SOON);
    expect(await stateOf(request)).toBe('over');
    await applier.stop();
  });

  it('has no snapshot of the target kept for it', async () => {
    const applier = fixture.run();
    await fixture.caughtUp();
    const request = await want();
    await untilState(request, 'held');
    await aim(request);
    await untilState(request, 'reached');
    await killProver();
    await untilState(request, 'over');
    await eventually('its session to end', async () => {
      const { rowCount } = await fixture.target.query(
        `SELECT FROM pg_stat_activity WHERE starts_with(application_name, $1) AND datname = current_database()`,
        [fixture.workPrefix],
      );
      return rowCount === 1;
    });
    await applier.stop();
  });
});

describe('a prover that hangs', () => {
  it('is waited for no longer than allowed', async () => {
    const request = await want();
    const applier = fixture.run({ proofLimits: { held: 500 } });
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await fixture.caughtUp(SOON);
    expect(await stateOf(request)).toBe('over');
    await applier.stop();
  });

  it('has its snapshot for no longer than allowed', async () => {
    const applier = fixture.run({ proofLimits: { reached: 500 } });
    const request = await want();
    await untilState(request, 'held');
    await aim(request);
    await untilState(request, 'over');
    const { rows } = await fixture.target.query<{ given: boolean }>(
      'SELECT snapshot IS NOT NULL AS given FROM flexlift.proof_request',
    );
    expect(rows).toEqual([{ given: true }]);
    await fixture.source.query('INSERT INTO log VALUES (1)');
    await fixture.caughtUp(SOON);
    await applier.stop();
  });
});
