import { parseLsn } from '../../../postgres/replicate/lsn';
import { eventually } from '../../support/eventually';
import { withSession } from '../../support/servers';
import { StandIn } from '../../support/stand-in';
import { ReplicationFixture } from './applier-fixture';

const SOURCE = 15;
const TARGET = 17;
/** Nothing reaches the disk but by a commit that waits for it. */
const SETTINGS = {
  fsync: false,
  wal_writer_delay: '10s',
  bgwriter_lru_maxpages: 0,
  autovacuum: false,
};

let target: StandIn;
let fixture: ReplicationFixture;

beforeEach(async () => {
  target = await StandIn.start(TARGET, SETTINGS);
  fixture = await ReplicationFixture.create(SOURCE, TARGET, 'CREATE TABLE acc (id int PRIMARY KEY)');
});

afterEach(async () => {
  await fixture.drop();
  await target.remove();
});

interface Applied {
  lsn: string;
  transactions: number;
  rows: number;
  /** Tells it from another with as many rows. */
  sum: string;
}

async function applied(): Promise<Applied> {
  return await withSession(TARGET, fixture.database, async (client) => {
    const { rows } = await client.query<Applied>(
      `SELECT lsn, transactions::int, (SELECT count(*)::int FROM acc) AS rows, (SELECT sum(id) FROM acc) AS sum
         FROM flexlift.stream`,
    );
    if (rows[0] === undefined) throw new Error('no stream');
    return rows[0];
  });
}

/** Until so much is confirmed; then the target loses all that is not on its disk. */
async function crashAfter(confirmation: (confirmed: bigint) => boolean): Promise<Applied> {
  const applier = fixture.run();
  await eventually('the confirmation', async () => confirmation((await fixture.confirmedLsn()) ?? 0n), {
    interval: 1,
  });
  await target.server.kill();
  await expect(applier.result).rejects.toMatchObject({ failureClass: 'transient' });
  const confirmed = (await fixture.confirmedLsn()) ?? 0n;
  await target.server.start();
  const left = await applied();
  expect(parseLsn(left.lsn)).toBeGreaterThanOrEqual(confirmed);
  return left;
}

it('confirms nothing that a target without power has lost', async () => {
  for (const id of [1, 2, 3]) {
    await fixture.source.query('INSERT INTO acc VALUES ($1)', [id]);
    const { rows } = await fixture.source.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
    const written = parseLsn(rows[0]?.lsn ?? '');
    expect(await crashAfter((confirmed) => confirmed >= written)).toMatchObject({
      rows: id,
      sum: String((id * (id + 1)) / 2),
    });
  }
});

it('confirms of batches that follow each other only what is on the disk, and goes on from there', async () => {
  const [transactions, rowsEach] = [600, 1_000];
  await fixture.source.query(
    `DO $$ BEGIN FOR n IN 0..${transactions - 1} LOOP
       INSERT INTO acc SELECT n * ${rowsEach} + g FROM generate_series(1, ${rowsEach}) g;
       COMMIT;
     END LOOP; END $$`,
  );
  for (let crash = 0; crash < 2; crash += 1) {
    const before = (await fixture.confirmedLsn()) ?? 0n;
    const left = await crashAfter((confirmed) => confirmed > before);
    expect(left.rows).toBe(left.transactions * rowsEach);
  }
  const applier = fixture.run();
  const all = transactions * rowsEach;
  await eventually('the end', async () => (await applied()).rows === all);
  await applier.stop();
  expect(await applied()).toMatchObject({ transactions, sum: String((all * (all + 1)) / 2) });
});
