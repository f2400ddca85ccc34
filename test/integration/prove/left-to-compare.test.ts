import { readSourceCounters } from '../../../postgres/copy';
import { boundChangedRows, leftToCompare, tablesToProve } from '../../../postgres/prove';
import { definitionMarks } from '../../../postgres/prove/definition-marks';
import { ReplicationFixture } from '../replicate/applier-fixture';

const SCHEMA = `
  CREATE TABLE proven (id int PRIMARY KEY);
  CREATE TABLE "Not ""proven" (id int PRIMARY KEY, body text);
  INSERT INTO "Not ""proven" SELECT n, repeat('x', 100) FROM generate_series(1, 2000) n;
  CREATE TABLE keyless (v int); ALTER TABLE keyless REPLICA IDENTITY FULL;
  INSERT INTO keyless SELECT generate_series(1, 2000);
  CREATE TABLE journal (v int)`;
const ROWS = 1_000;

describe.each([
  [14, 17],
  [14, 11],
] as const)('what is left to be compared at a cutover, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;

  beforeEach(async () => {
    fixture = await ReplicationFixture.create(source, target, SCHEMA);
  });
  afterEach(() => fixture.drop());

  async function proof(table: string): Promise<void> {
    const oid = await fixture.oidOf(table);
    await fixture.target.query(
      `INSERT INTO flexlift.proof (table_oid, lsn, rows, checksum) VALUES ($1, 'FFFF/0', $2, '5')
           ON CONFLICT DO NOTHING`,
      [oid, ROWS],
    );
    const marks = await definitionMarks(fixture.source, [oid]);
    await fixture.target.query(
      `INSERT INTO flexlift.step (kind, key, detail) VALUES ('proven', $1, $2) ON CONFLICT DO NOTHING`,
      [String(oid), JSON.stringify(marks.get(oid))],
    );
  }

  async function changed(table: string, lsn: string, keys: string[][] | null): Promise<void> {
    await fixture.target.query('INSERT INTO flexlift.changed_rows VALUES ($1, $2, $3)', [
      await fixture.oidOf(table),
      lsn,
      keys === null ? null : JSON.stringify(keys),
    ]);
  }

  const keys = (count: number) => Array.from({ length: count }, (_, n) => [String(n)]);

  async function left({ compare = true, trustsCounters = true } = {}): Promise<string[]> {
    const { source: there, target: here } = fixture;
    return (await leftToCompare({ source: there, target: here, compare, trustsCounters })).what;
  }

  async function due(beforeFence: boolean): Promise<number[]> {
    const batches = await tablesToProve(fixture, { olderThanMs: 3_600_000, beforeFence });
    return batches.flatMap(({ tableOids }) => tableOids);
  }

  it('is told with its size and why', async () => {
    await proof('proven');
    await changed('proven', 'FFFF/1', keys(1));
    await proof('keyless');
    await changed('keyless', 'FFFF/1', null);
    // on the target it is as empty as at the load
    await fixture.source.query('INSERT INTO journal VALUES (1)');
    const { bytes, size, what } = await leftToCompare({
      source: fixture.source,
      target: fixture.target,
      compare: true,
      trustsCounters: true,
    });
    expect(what).toEqual([
      expect.stringMatching(/^"public"."Not ""proven" \(\d+ kB, not proven yet\)$/),
      expect.stringMatching(/^"public"."keyless" \(\d+ kB, changed since its proof, without a key\)$/),
      '"public"."journal" (8192 bytes, not all of its changes come in the stream)',
    ]);
    const { rows } = await fixture.target.query<{ bytes: number; size: string }>(
      `SELECT sum(pg_table_size(oid))::int + 8192 AS bytes, pg_size_pretty(sum(pg_table_size(oid))::int8 + 8192) AS size
         FROM pg_class WHERE relname IN ('Not "proven', 'keyless')`,
    );
    expect({ bytes, size }).toEqual(rows[0]);
  });

  it('is a table of which many rows changed, but not one of which few changed often', async () => {
    await proof('"Not ""proven"');
    for (let batch = 1; batch < 10; batch++) await changed('"Not ""proven"', `FFFF/${batch}`, keys(100));
    expect(await left()).not.toContainEqual(expect.stringContaining('Not'));
    await changed('"Not ""proven"', 'FFFF/A', keys(250));
    expect(await left()).toContainEqual(expect.stringContaining('changed much since its proof'));
  });

  it('is a table whose definition was touched since its proof, and it is proven again', async () => {
    await proof('"Not ""proven"');
    expect(await left()).not.toContainEqual(expect.stringContaining('Not'));
    expect(await due(false)).not.toContain(await fixture.oidOf('"Not ""proven"'));
    await fixture.source.query(
      'ALTER TABLE "Not ""proven" ADD COLUMN more int; ALTER TABLE "Not ""proven" DROP COLUMN more',
    );
    expect(await left()).toContainEqual(expect.stringContaining('not proven yet'));
    expect(await due(false)).toContain(await fixture.oidOf('"Not ""proven"'));
  });

  it('is proven before the fence, however little of it changed since', async () => {
    await proof('keyless');
    await changed('keyless', 'FFFF/1', null);
    expect(await due(false)).not.toContain(await fixture.oidOf('keyless'));
    expect(await due(true)).toContain(await fixture.oidOf('keyless'));
  });

  it('is only what is not replicated where nothing is compared', async () => {
    const compare = false;
    const journal = '"public"."journal" (8192 bytes, not all of its changes come in the stream)';
    expect(await left({ compare })).toEqual([]);
    await fixture.source.query(`INSERT INTO journal VALUES (1); SELECT lo_from_bytea(0, 'x')`);
    expect(await left({ compare })).toEqual([
      journal,
      'large objects (8192 bytes, not all of its changes come in the stream)',
    ]);
    // as of a load that has just read them
    const { rows } = await fixture.source.query<{ oid: number }>(`SELECT 'journal'::regclass::oid AS oid`);
    const [counters] = await readSourceCounters(fixture.source, rows);
    await fixture.target.query('UPDATE flexlift.table_load SET source_counters = $2 WHERE table_oid = $1', [
      counters?.oid,
      counters?.counters,
    ]);
    expect(await left({ compare })).not.toContain(journal);
    expect(await left({ compare, trustsCounters: false })).toContain(journal);
  });

  describe('of the rows that changed', () => {
    const kept = async () =>
      (
        await fixture.target.query(
          `SELECT table_name AS name, lsn::text, keys FROM flexlift.changed_rows
             JOIN flexlift.table_load USING (table_oid) ORDER BY lsn`,
        )
      ).rows as object[];

    it('each is known once where they were many, and a table of which too many changed is read whole', async () => {
      await proof('proven');
      for (const lsn of ['FFFF/1', 'FFFF/2', 'FFFF/3']) await changed('proven', lsn, keys(2));
      await changed('"Not ""proven"', 'FFFF/9', keys(2));
      const applier = await fixture.session('target');
      await applier.query('BEGIN');
      await applier.query(`INSERT INTO flexlift.changed_rows VALUES ($1, 'FFFF/4', '[["3"]]')`, [
        await fixture.oidOf('proven'),
      ]);
      await boundChangedRows(fixture.target, fixture.identity, { kept: 5, different: 2 });
      await applier.query('COMMIT');
      await applier.end();
      expect(await kept()).toEqual([
        { name: 'proven', lsn: 'FFFF/3', keys: expect.arrayContaining(keys(2)) as string[][] },
        { name: 'proven', lsn: 'FFFF/4', keys: [['3']] },
        { name: 'Not "proven', lsn: 'FFFF/9', keys: keys(2) },
      ]);

      await boundChangedRows(fixture.target, fixture.identity, { kept: 2, different: 2 });
      expect((await kept())[0]).toEqual({ name: 'proven', lsn: 'FFFF/4', keys: null });
      // what is too much to be looked through, however few it may be
      await boundChangedRows(fixture.target, fixture.identity, { kept: 1, lookedThrough: 1, different: 9 });
      expect((await kept())[1]).toEqual({ name: 'Not "proven', lsn: 'FFFF/9', keys: null });
      expect(await due(false)).toContain(await fixture.oidOf('proven'));
    });

    it('those that are not known make a table one that is read whole', async () => {
      await proof('"Not ""proven"');
      await changed('"Not ""proven"', 'FFFF/1', null);
      for (const lsn of ['FFFF/2', 'FFFF/3', 'FFFF/4']) await changed('"Not ""proven"', lsn, keys(2));
      await boundChangedRows(fixture.target, fixture.identity, { kept: 5, different: 100 });
      expect(await kept()).toEqual([{ name: 'Not "proven', lsn: 'FFFF/4', keys: null }]);
      expect(await left()).toContainEqual(expect.stringContaining('changed much since its proof'));
    });
  });
});
