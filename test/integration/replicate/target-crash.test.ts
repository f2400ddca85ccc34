import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresServer } from '../../../embedded';
import { parseLsn } from '../../../postgres/replicate/lsn';
import { eventually } from '../../support/eventually';
import { createOwnServer } from '../../support/own-server';
import { testAddress, useServerAt, withSession } from '../../support/servers';
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

const { port: shared } = testAddress(TARGET);
let root: string;
let target: PostgresServer;
let fixture: ReplicationFixture;

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'flexlift-target-'));
  chmodSync(root, 0o711);
  target = await createOwnServer({ major: TARGET, directory: join(root, 'target'), settings: SETTINGS });
  await target.start();
  useServerAt(TARGET, target.port);
  fixture = await ReplicationFixture.create(SOURCE, TARGET, 'CREATE TABLE acc (id int PRIMARY KEY)');
});

afterEach(async () => {
  await fixture.drop();
  useServerAt(TARGET, shared);
  await target.remove();
  rmSync(root, { recursive: true, force: true });
});

interface Applied {
  lsn: string;
  ids: number[];
}

async function applied(): Promise<Applied> {
  return await withSession(TARGET, fixture.database, async (client) => {
    const { rows } = await client.query<Applied>(
      `SELECT lsn, (SELECT COALESCE(array_agg(id ORDER BY id), '{}') FROM acc) AS ids FROM flexlift.stream`,
    );
    if (rows[0] === undefined) throw new Error('no stream');
    return rows[0];
  });
}

it('confirms nothing that a target without power has lost', async () => {
  for (const id of [1, 2, 3]) {
    const applier = fixture.run();
    await fixture.source.query('INSERT INTO acc VALUES ($1)', [id]);
    const { rows } = await fixture.source.query<{ lsn: string }>('SELECT pg_current_wal_lsn() AS lsn');
    const written = parseLsn(rows[0]?.lsn ?? '');
    await eventually('the confirmation', async () => ((await fixture.confirmedLsn()) ?? 0n) >= written, {
      interval: 1,
    });
    await target.kill();
    await expect(applier.result).rejects.toMatchObject({ failureClass: 'transient' });
    const confirmed = (await fixture.confirmedLsn()) ?? 0n;
    await target.start();
    const { lsn, ids } = await applied();
    expect(parseLsn(lsn)).toBeGreaterThanOrEqual(confirmed);
    expect(ids).toEqual(Array.from({ length: id }, (_, index) => index + 1));
  }
});
