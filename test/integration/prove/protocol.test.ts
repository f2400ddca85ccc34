import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from 'pg';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';
import { killProver, newestRequest, prove, PROVER, requestIn } from './proof-fixture';

const TABLE = 'public.t';
let fixture: ReplicationFixture;
let applier: FakeApplier;

/** Answers a request as far as it is told to; nothing is written meanwhile, so that any snapshot of the target will do. */
class FakeApplier {
  readonly heldFor: number[] = [];
  beforeHeld: () => Promise<unknown> = () => Promise.resolve();
  beforeReached: () => Promise<unknown> = () => Promise.resolve();
  private running = true;
  private snapshots: Client | undefined;
  private readonly loop: Promise<void>;

  constructor(
    private readonly client: Client,
    private readonly answersTo: string[],
  ) {
    this.loop = this.answer();
    this.loop.catch(() => undefined);
  }

  private async answer(): Promise<void> {
    let heldSince: number | undefined;
    for (; this.running; await pause(10)) {
      const state = (await newestRequest(this.client))?.state ?? 'over';
      if (state !== 'held' && heldSince !== undefined) {
        this.heldFor.push(Date.now() - heldSince);
        heldSince = undefined;
      }
      if (state === 'over') await this.letGo();
      if (!this.answersTo.includes(state)) continue;
      if (state === 'wanted') {
        await this.beforeHeld();
        await this.client.query(`UPDATE flexlift.proof_request SET state = 'held' WHERE state = 'wanted'`);
        heldSince = Date.now();
      } else if (state === 'aimed') {
        await this.reach();
      }
    }
    await this.letGo();
  }

  private async reach(): Promise<void> {
    await this.letGo();
    this.snapshots = await fixture.session('target');
    await this.snapshots.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
    const { rows } = await this.snapshots.query<{ name: string }>('SELECT pg_export_snapshot() AS name');
    await this.beforeReached();
    await this.client.query(
      `UPDATE flexlift.proof_request SET state = 'reached', snapshot = $1 WHERE state = 'aimed'`,
      [rows[0]?.name],
    );
  }

  private async letGo(): Promise<void> {
    await this.snapshots?.end();
    this.snapshots = undefined;
  }

  async stop(): Promise<void> {
    this.running = false;
    await this.loop;
    await this.client.end();
  }
}

beforeEach(async () => {
  fixture = await ReplicationFixture.create(
    15,
    17,
    `CREATE TABLE ${TABLE} (id int PRIMARY KEY, v text);
     INSERT INTO ${TABLE} SELECT n, repeat('v', 100) FROM generate_series(1, 2000) n;
     CREATE TABLE public.other (id int PRIMARY KEY)`,
  );
});
afterEach(async () => {
  await applier.stop();
  await fixture.drop();
});

async function answering(...states: string[]): Promise<void> {
  applier = new FakeApplier(await fixture.session('target'), states);
}

async function slots(): Promise<unknown[]> {
  const { rows } = await fixture.source.query<{ slot_name: string }>(
    `SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE '%\\_proof\\_%' AND database = current_database()`,
  );
  return rows;
}

test('what changed before the proof is forgotten, what changed since is not', async () => {
  await answering('wanted', 'aimed');
  const oid = await fixture.oidOf(TABLE);
  await fixture.target.query(
    `INSERT INTO flexlift.changed_rows VALUES ($1, '0/1', '[["1"]]'), ($1, 'FFFF/0', '[["2"]]')`,
    [oid],
  );
  expect(await prove(fixture, [TABLE])).toEqual({ proven: 1, differences: [] });
  const { rows } = await fixture.target.query('SELECT keys FROM flexlift.changed_rows WHERE table_oid = $1', [
    oid,
  ]);
  expect(rows).toEqual([{ keys: [['2']] }]);
});

test('an applier that never stands still is given up, and so is one that never gets there', async () => {
  await answering();
  const silent = prove(fixture, [TABLE], { answerTimeout: 300 });
  await expect(silent).rejects.toMatchObject({
    code: 'Contention',
    message: expect.stringMatching(/does not answer/) as string,
  });
  expect(await newestRequest(fixture.target)).toMatchObject({ state: 'over' });
  await applier.stop();
  await answering('wanted');
  const lost = prove(fixture, [TABLE], { reachTimeout: 300 });
  await expect(lost).rejects.toMatchObject({ code: 'Contention' });
  expect(await newestRequest(fixture.target)).toMatchObject({ state: 'over' });
  expect(await slots()).toEqual([]);
});

test('a prover whom the applier did not wait for gives up before it reads anything', async () => {
  await answering('wanted');
  // keeps the snapshot of the source waiting
  applier.beforeHeld = () => fixture.source.query('BEGIN; INSERT INTO public.other VALUES (1)');
  const late = prove(fixture, [TABLE]);
  late.catch(() => undefined);
  await requestIn(fixture.target, 'held');
  await fixture.target.query(`UPDATE flexlift.proof_request SET state = 'over'`);
  await fixture.source.query('ROLLBACK');
  await expect(late).rejects.toMatchObject({
    code: 'Contention',
    message: expect.stringMatching(/went on before|gave the proof up/) as string,
  });
  expect(await slots()).toEqual([]);
});

test('a transaction that lasts on the source postpones the proof before the applier is held', async () => {
  await answering('wanted', 'aimed');
  await fixture.source.query('BEGIN; INSERT INTO public.other VALUES (1)');
  const found = await prove(fixture, [TABLE], { holdTimeout: 500 });
  await fixture.source.query('COMMIT');
  expect(found).toEqual({
    proven: 0,
    differences: [],
    postponed: {
      sentence: expect.stringMatching(
        /^Transactions .* the oldest is the transaction of process \d+ /,
      ) as string,
      concernsAll: true,
    },
  });
  expect(await newestRequest(fixture.target)).toBeUndefined();
  expect(await prove(fixture, [TABLE])).toEqual({ proven: 1, differences: [] });
});

test('one that begins just then holds the applier for no longer than allowed', async () => {
  await answering('wanted', 'aimed');
  applier.beforeHeld = () => fixture.source.query('BEGIN; INSERT INTO public.other VALUES (2)');
  const found = await prove(fixture, [TABLE], { holdTimeout: 1_000 });
  expect(found).toMatchObject({ proven: 0, differences: [], postponed: { concernsAll: true } });
  await pause(50);
  expect(applier.heldFor).toHaveLength(1);
  expect(applier.heldFor[0]).toBeGreaterThan(900);
  expect(applier.heldFor[0]).toBeLessThan(3_000);
  expect(await slots()).toEqual([]);
  await fixture.source.query('ROLLBACK');
  applier.beforeHeld = () => Promise.resolve();
  expect(await prove(fixture, [TABLE])).toEqual({ proven: 1, differences: [] });
});

test.each([
  ['wanted', []],
  ['held', ['wanted']],
  ['aimed', ['wanted']],
  ['reached', ['wanted', 'aimed']],
] as const)('a prover killed when its request was %s makes room for the next', async (state, answers) => {
  await answering(...answers);
  // keeps the snapshot of the source waiting, and with it the prover
  if (state === 'held')
    applier.beforeHeld = () => fixture.source.query('BEGIN; INSERT INTO public.other VALUES (3)');
  if (state === 'reached') applier.beforeReached = () => killProver(fixture);
  const killed = prove(fixture, [TABLE], { holdTimeout: 1_000 });
  killed.catch(() => undefined);
  await requestIn(fixture.target, state);
  await killProver(fixture);
  await killed.catch(() => undefined);
  await fixture.source.query('ROLLBACK');
  await applier.stop();
  await answering('wanted', 'aimed');
  expect(await prove(fixture, [TABLE])).toEqual({ proven: 1, differences: [] });
  expect(await slots()).toEqual([]);
  const { rows } = await fixture.target.query(
    `SELECT state FROM flexlift.proof_request WHERE state <> 'over'`,
  );
  expect(rows).toEqual([]);
});

test('there is one prover at a time, and a later attempt ends the earlier one', async () => {
  await answering();
  const first = prove(fixture, [TABLE]);
  first.catch(() => undefined);
  await requestIn(fixture.target, 'wanted');
  await expect(prove(fixture, [TABLE])).rejects.toMatchObject({
    code: 'Contention',
    fields: { sqlState: '55P03' },
  });
  await applier.stop();
  await answering('wanted', 'aimed');
  await first;
  await applier.stop();

  await answering();
  const dead = prove(fixture, [TABLE]);
  dead.catch(() => undefined);
  await requestIn(fixture.target, 'wanted');
  await applier.stop();
  await answering('wanted', 'aimed');
  // of another name than its own, as another attempt of the same work has
  await expect(
    prove(fixture, [TABLE], {
      source: testEndpoint(15, 'source', `${PROVER}-2`),
      target: testEndpoint(17, 'target', `${PROVER}-2`),
      predecessorPrefix: PROVER,
    }),
  ).resolves.toMatchObject({ differences: [] });
  await dead.catch(() => undefined);
});
