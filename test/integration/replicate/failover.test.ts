import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer } from '../../../embedded';
import { runAs, serverUser } from '../../../embedded/server-user';
import { eventually } from '../../support/eventually';
import { createOwnServer } from '../../support/own-server';
import { standbyOf } from '../../support/standby';
import { dropTestDatabase, testAddress, useServerAt, withSession } from '../../support/servers';
import { ReplicationFixture } from './applier-fixture';

const SOURCE = 15;
const TARGET = 17;
const SETTINGS = { fsync: false, wal_level: 'logical' };
const TABLES = `CREATE TABLE acc (id int PRIMARY KEY, note text)`;

const { port: shared } = testAddress(SOURCE);
let root: string;
let primary: PostgresServer;
let standby: PostgresServer;
let fixture: ReplicationFixture;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-failover-'));
  chmodSync(root, 0o711);
  primary = await createOwnServer({ major: SOURCE, directory: join(root, 'primary'), settings: SETTINGS });
  await primary.start();
  const directory = join(root, 'standby');
  standby = await standbyOf(primary, { major: SOURCE, directory, settings: SETTINGS });
  sourceIs(primary);
  fixture = await ReplicationFixture.create(SOURCE, TARGET, TABLES);
});
afterEach(async () => {
  useServerAt(SOURCE, shared);
  await fixture.source.end().catch(() => undefined);
  await fixture.target.end();
  await dropTestDatabase(TARGET, fixture.database);
  for (const server of [primary, standby]) await server.remove();
  rmSync(root, { recursive: true, force: true });
});

/** What the name of the source leads to. */
function sourceIs({ port }: PostgresServer): void {
  useServerAt(SOURCE, port);
}

const onSource = (sql: string, values: unknown[] = []) =>
  withSession(SOURCE, fixture.database, (client) => client.query<{ is: boolean }>(sql, values));

async function applyAll(): Promise<void> {
  const applier = fixture.run();
  await fixture.caughtUp();
  await applier.stop();
}

async function promoteStandby(): Promise<void> {
  await standby.start();
  sourceIs(standby);
  await withSession(SOURCE, 'postgres', (client) => client.query('SELECT pg_promote()'));
}

/** As pg_failover_slots does, and servers from 17 on by themselves. */
async function copySlotToStandby(): Promise<void> {
  const [from, to] = [primary, standby].map((server) => join(server.directory, 'data', 'pg_replslot'));
  await runAs(await serverUser(), 'cp', ['-R', '-p', join(from ?? '', fixture.slot), to ?? '']);
}

async function timeline(): Promise<number | undefined> {
  const { rows } = await fixture.target.query<{ timeline: number }>('SELECT timeline FROM flexlift.stream');
  return rows[0]?.timeline;
}

it('a source that lost commits in a failover is noticed, though its WAL is longer again', async () => {
  await fixture.source.query(`INSERT INTO acc VALUES (1, 'on both')`);
  await applyAll();
  expect(await timeline()).toBe(1);
  const { rows } = await fixture.source.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn() AS lsn');
  sourceIs(standby);
  await eventually('the standby has it', async () => {
    const replayed = await onSource('SELECT pg_last_wal_replay_lsn() >= $1 AS is', [rows[0]?.lsn]);
    return replayed.rows[0]?.is;
  });
  await standby.stop();
  sourceIs(primary);
  await fixture.source.query(`INSERT INTO acc SELECT i, 'lost' FROM generate_series(2, 1000) i`);
  await applyAll();
  await primary.kill();

  await promoteStandby();
  await onSource(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [fixture.slot]);
  await onSource(`INSERT INTO acc SELECT i, 'skipped' FROM generate_series(5001, 5100) i`);
  const applied = await fixture.target.query<{ lsn: string }>('SELECT lsn FROM flexlift.stream');
  await eventually('longer WAL', async () => {
    await onSource(`INSERT INTO acc SELECT max(id) + 1, repeat('x', 1000) FROM acc`);
    return (await onSource('SELECT pg_current_wal_flush_lsn() > $1 AS is', [applied.rows[0]?.lsn])).rows[0]
      ?.is;
  });
  const failure = {
    code: 'SourceRewound',
    message: expect.stringMatching(
      /^The source lost commits in a failover: its timeline 2 left timeline 1 at .* Run flexlift recopy/,
    ) as string,
  };
  await expect(fixture.run({ seconds: 10 }).result).rejects.toMatchObject(failure);
  await expect(fixture.run({ seconds: 10 }).result).rejects.toMatchObject(failure);
  expect(await timeline()).toBe(1);
});

it('a source whose standby had all is followed to its new timeline, and on from there', async () => {
  await fixture.source.query(`INSERT INTO acc VALUES (1, 'on both')`);
  await applyAll();
  // sends all to the standby first
  await primary.stop();
  await standby.stop();
  await copySlotToStandby();
  await promoteStandby();

  const applied = async (id: number) => {
    await onSource('INSERT INTO acc VALUES ($1)', [id]);
    const applier = fixture.run();
    await eventually('the row', async () => {
      return (await fixture.target.query('SELECT FROM acc WHERE id = $1', [id])).rowCount === 1;
    });
    await applier.stop();
  };
  await applied(2);
  expect(await timeline()).toBe(2);
  await applied(3);
  expect(await timeline()).toBe(2);

  await fixture.target.query('UPDATE flexlift.stream SET timeline = 9');
  await expect(fixture.run({ seconds: 10 }).result).rejects.toMatchObject({
    code: 'SourceRewound',
    message: expect.stringMatching(/timeline 2 of its WAL, which does not come from timeline 9/) as string,
  });
});

it('a standby that was promoted without the slot is told from a source that lost commits', async () => {
  await fixture.source.query(`INSERT INTO acc VALUES (1, 'on both')`);
  await applyAll();
  await primary.stop();
  await standby.stop();
  await promoteStandby();
  await expect(fixture.run({ seconds: 10 }).result).rejects.toMatchObject({
    code: 'SlotLost',
    message: expect.stringContaining(fixture.slot) as string,
  });
});
