import { setTimeout as pause } from 'node:timers/promises';
import { tablesToProve } from '../../../postgres/prove';
import { eventually } from '../../support/eventually';
import { ReplicationFixture } from '../replicate/applier-fixture';
import { prove, startWriter } from './proof-fixture';

const NASTY = '"Sales ""x"".🐘"."Order\nlines"';
const SCHEMA = `
  CREATE TABLE public.plain (id int PRIMARY KEY, v int, body text);
  INSERT INTO public.plain SELECT n, n, 'row ' || n FROM generate_series(1, 3000) n;
  CREATE SCHEMA "Sales ""x"".🐘";
  CREATE TABLE ${NASTY} ("Key" text, "b""c" int, v int, PRIMARY KEY ("b""c", "Key"));
  INSERT INTO ${NASTY} SELECT E'k''\\\\ ' || n, n, n FROM generate_series(1, 500) n;
  CREATE TABLE public.keyless (v int, body text); ALTER TABLE public.keyless REPLICA IDENTITY FULL;
  INSERT INTO public.keyless SELECT n % 10, 'x' FROM generate_series(1, 100) n;
  CREATE TABLE public.journal (v int);
  CREATE TABLE public.emptied (id int PRIMARY KEY);
  CREATE TABLE public.nothing ();`;
const ALL = ['public.plain', NASTY, 'public.keyless', 'public.journal', 'public.emptied', 'public.nothing'];

const work = (round: number) => `
  BEGIN;
  UPDATE public.plain SET v = v + 1 WHERE id = ${(round % 100) + 1};
  INSERT INTO public.plain VALUES (${10_000 + round}, 0, repeat('y', 3000));
  DELETE FROM public.plain WHERE id = ${10_000 + round - 5};
  UPDATE ${NASTY} SET "Key" = "Key" || '!', v = v + 1 WHERE "b""c" = ${(round % 50) + 1};
  UPDATE public.keyless SET v = 11 WHERE ctid = (SELECT min(ctid) FROM public.keyless WHERE v < 10);
  INSERT INTO public.journal VALUES (${round});
  ${round % 20 === 0 ? 'TRUNCATE public.emptied;' : ''}
  INSERT INTO public.emptied VALUES (${round});
  ${round % 3 === 0 ? 'ROLLBACK' : 'COMMIT'}`;

describe.each([
  [15, 17],
  [11, 17],
  [14, 11],
] as const)('proofs while a writer writes and the applier applies, %i to %i', (source, target) => {
  let fixture: ReplicationFixture;

  beforeEach(async () => {
    fixture = await ReplicationFixture.create(source, target, SCHEMA);
  });
  afterEach(() => fixture.drop());

  const proofs = async () =>
    (
      await fixture.target.query<{ name: string; stale: number; later: number }>(
        `SELECT t.table_name AS name, count(r.*) FILTER (WHERE r.lsn <= p.lsn)::int AS stale, count(r.*)::int AS later
           FROM flexlift.proof p JOIN flexlift.table_load t USING (table_oid)
           LEFT JOIN flexlift.changed_rows r USING (table_oid) GROUP BY 1`,
      )
    ).rows;

  it('are equal, again and again', async () => {
    const applier = fixture.runForever();
    const writer = await startWriter(fixture, work);
    let proven = 0;
    for (let round = 0; round < 6; round++) {
      const found = await prove(fixture, ALL);
      expect(found.differences).toEqual([]);
      proven += found.proven;
      await pause(100);
    }
    // but for a table that was truncated in the very moment, all that can be
    expect(proven).toBeGreaterThanOrEqual(6 * 3);
    const kept = await proofs();
    expect(kept.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['plain', 'Order\nlines', 'keyless']),
    );
    expect(kept.every(({ stale }) => stale === 0)).toBe(true);
    expect(kept.find(({ name }) => name === 'plain')?.later).toBeGreaterThan(0);
    expect(await writer.stop()).toBeGreaterThan(20);
    await fixture.caughtUp();
    await applier.stop();
    await fixture.expectEqual();
    const { rows } = await fixture.source.query(
      `SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE '%proof%' AND database = current_database()`,
    );
    expect(rows).toEqual([]);
  });

  it('find what differs, name the keys and stop that table alone', async () => {
    const applier = fixture.runForever();
    const writer = await startWriter(fixture, work);
    await fixture.target.query(
      `SET session_replication_role = replica;
       UPDATE public.plain SET body = 'other' WHERE id = 2000; DELETE FROM ${NASTY} WHERE "b""c" = 400`,
    );
    const { differences } = await prove(fixture, ALL);
    expect(differences).toEqual([
      expect.objectContaining({
        object: '"public"."plain"',
        kind: 'checksum',
        keys: ['id = 2000 (differs)'],
      }),
      expect.objectContaining({ object: NASTY, kind: 'rows' }),
    ]);
    expect(differences[1]?.keys).toEqual([
      expect.stringMatching(/^b"c = 400, Key = k'\\ 400!* \(only on source\)$/),
    ]);
    expect(await fixture.stateOf('public.plain')).toMatchObject({
      stream_state: 'stopped',
      stopped_by: {
        code: 'DifferenceFound',
        remedy: expect.stringContaining('flexlift recopy --table') as string,
      },
    });
    expect(await fixture.stateOf('public.keyless')).toMatchObject({ stream_state: 'applied' });
    expect((await proofs()).map(({ name }) => name)).not.toContain('plain');
    expect((await prove(fixture, ['public.plain'])).proven).toBe(0);
    const planned = await tablesToProve(fixture, { olderThanMs: 0 });
    expect(planned.flatMap((batch) => batch.tableOids)).not.toContain(await fixture.oidOf('public.plain'));
    await writer.stop();
    await applier.stop();
  });

  it('are made of what needs them, what was never proven first', async () => {
    const applier = fixture.runForever();
    const oid = await fixture.oidOf('public.plain');
    const planned = async (olderThanMs: number) =>
      (await tablesToProve(fixture, { olderThanMs })).map((batch) => batch.summary);
    await fixture.target.query(
      `UPDATE flexlift.table_load SET group_number = 1 WHERE table_name IN ('keyless', 'emptied')`,
    );
    expect((await planned(0)).sort()).toEqual(
      [`prove "public"."plain"`, `prove ${NASTY}`, 'prove 2 small tables'].sort(),
    );
    expect(await prove(fixture, ALL)).toMatchObject({ proven: 4 });
    expect(await planned(0)).toEqual([]);

    await fixture.source.query(
      `UPDATE public.plain SET v = 0 WHERE id < 20; UPDATE ${NASTY} SET v = -1 WHERE v < 100`,
    );
    await fixture.caughtUp();
    expect(await planned(0)).toEqual([`prove ${NASTY}`, 'prove "public"."plain"']);
    expect(await planned(60_000)).toEqual([]);
    await fixture.target.query('UPDATE flexlift.changed_rows SET keys = NULL WHERE table_oid = $1', [oid]);
    expect(await planned(60_000)).toEqual(['prove "public"."plain"']);
    expect(await prove(fixture, ['public.plain'])).toMatchObject({ proven: 1 });
    expect(await planned(60_000)).toEqual([]);

    // a proof from before the table's copy is none
    await fixture.target.query(
      `UPDATE flexlift.table_load SET copy_lsn = pg_lsn 'FF/0' WHERE table_oid = $1`,
      [oid],
    );
    expect(await planned(60_000)).toEqual(['prove "public"."plain"']);
    await applier.stop();
  });

  it('of a table that is locked, truncated or dropped meanwhile wait, and hold nobody up', async () => {
    const applier = fixture.runForever();
    await fixture.target.query('BEGIN; LOCK TABLE public.plain IN ACCESS EXCLUSIVE MODE');
    const found = await prove(fixture, ['public.plain', 'public.keyless']);
    expect(found).toMatchObject({ proven: 1, differences: [] });
    expect(found.postponed).toEqual({
      sentence: expect.stringContaining('"public"."plain"') as string,
      concernsAll: false,
    });
    await fixture.target.query('COMMIT');

    // the source's TRUNCATE waits for the reader, which is in the middle of a slow checksum
    await fixture.source.query(
      `INSERT INTO public.plain SELECT n, 0, repeat('z', 20000) FROM generate_series(20000, 24000) n`,
    );
    await fixture.caughtUp(60_000);
    const session = await fixture.session('source');
    let truncated: Promise<number> | undefined;
    const onProgress = (what: string) => {
      if (!what.startsWith('prove') || truncated !== undefined) return;
      truncated = (async () => {
        await eventually(
          'the reader to hold its lock',
          async () => {
            const { rows } = await session.query(
              `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
              WHERE relation = 'public.plain'::regclass AND application_name = 'flexlift-prover-of-test'`,
            );
            return rows.length > 0;
          },
          { interval: 1 },
        );
        const start = Date.now();
        await session.query('TRUNCATE public.plain');
        return Date.now() - start;
      })();
    };
    const round = await prove(fixture, ['public.plain'], { onProgress });
    expect(round.differences).toEqual([]);
    expect(await truncated).toBeLessThan(3_000);
    await session.end();
    await fixture.caughtUp();
    expect(await prove(fixture, ['public.plain'])).toEqual({ proven: 1, differences: [] });
    await applier.stop();
  });
});
