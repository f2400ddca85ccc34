import { boundChangedRows, leftToCompare, tablesToProve } from '../../../postgres/prove';
import { ReplicationFixture } from '../replicate/applier-fixture';

const SCHEMA = `
  CREATE TABLE proven (id int PRIMARY KEY);
  CREATE TABLE "Not ""proven" (id int PRIMARY KEY, body text);
  INSERT INTO "Not ""proven" SELECT n, repeat('x', 100) FROM generate_series(1, 2000) n;
  CREATE TABLE keyless (v int); ALTER TABLE keyless REPLICA IDENTITY FULL;
  INSERT INTO keyless SELECT generate_series(1, 2000);
  CREATE TABLE journal (v int)`;

let fixture: ReplicationFixture;

beforeEach(async () => {
  fixture = await ReplicationFixture.create(14, 17, SCHEMA);
});
afterEach(() => fixture.drop());

async function proof(table: string): Promise<void> {
  await fixture.target.query(
    `INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum) VALUES ($1, 'FFFF/0', 1000, '5')`,
    [await fixture.oidOf(table)],
  );
}

async function changed(table: string, lsn: string, keys: string[][] | null): Promise<void> {
  await fixture.target.query('INSERT INTO flexlift.changed_rows VALUES ($1, $2, $3)', [
    await fixture.oidOf(table),
    lsn,
    keys === null ? null : JSON.stringify(keys),
  ]);
}

test('what would be read behind the fence is told with its size and why', async () => {
  await proof('proven');
  await changed('proven', 'FFFF/1', [['1']]);
  await proof('keyless');
  await changed('keyless', 'FFFF/1', null);
  const { bytes, size, tables } = await leftToCompare(fixture.target);
  expect(tables).toEqual([
    expect.stringMatching(/^"public"."Not ""proven" \(\d+ kB, not proven yet\)$/),
    expect.stringMatching(/^"public"."keyless" \(\d+ kB, changed since its proof, without a key\)$/),
    '"public"."journal" (0 bytes, not all of its changes come in the stream)',
  ]);
  const { rows } = await fixture.target.query<{ bytes: number; size: string }>(
    `SELECT sum(pg_table_size(oid))::int AS bytes, pg_size_pretty(sum(pg_table_size(oid))::int8) AS size
       FROM pg_class WHERE relname IN ('Not "proven', 'keyless', 'journal')`,
  );
  expect({ bytes, size }).toEqual(rows[0]);

  await proof('"Not ""proven"');
  await changed(
    '"Not ""proven"',
    'FFFF/1',
    Array.from({ length: 250 }, (_, n) => [String(n)]),
  );
  expect((await leftToCompare(fixture.target)).tables[0]).toContain('changed much since its proof');
});

test('rows that changed are forgotten where they are too many, and their table is read whole', async () => {
  await proof('proven');
  for (const lsn of ['FFFF/1', 'FFFF/2', 'FFFF/3']) await changed('proven', lsn, [['1'], ['2']]);
  await changed('"Not ""proven"', 'FFFF/9', [['1'], ['2']]);
  const applier = await fixture.session('target');
  await applier.query('BEGIN');
  await applier.query(`INSERT INTO flexlift.changed_rows VALUES ($1, 'FFFF/4', '[["3"]]')`, [
    await fixture.oidOf('proven'),
  ]);
  await boundChangedRows(fixture.target, fixture.identity, 5);
  await applier.query('COMMIT');
  await applier.end();

  const left = await fixture.target.query(
    `SELECT table_name AS name, lsn::text, keys FROM flexlift.changed_rows
       JOIN flexlift.table_load USING (table_oid) ORDER BY lsn`,
  );
  expect(left.rows).toEqual([
    { name: 'proven', lsn: 'FFFF/3', keys: null },
    { name: 'proven', lsn: 'FFFF/4', keys: [['3']] },
    { name: 'Not "proven', lsn: 'FFFF/9', keys: [['1'], ['2']] },
  ]);
  expect((await leftToCompare(fixture.target)).tables).toContainEqual(
    '"public"."proven" (0 bytes, changed much since its proof)',
  );
  const due = (await tablesToProve(fixture.target, { olderThanMs: 3_600_000 })).flatMap(
    ({ tableOids }) => tableOids,
  );
  expect(due).toContain(await fixture.oidOf('proven'));
});
