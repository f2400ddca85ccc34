import type { Client } from 'pg';
import { withConnection } from '../../../postgres/connect';
import { finalCompare } from '../../../postgres/prove';
import { testEndpoint } from '../../support/servers';
import { ReplicationFixture } from '../replicate/applier-fixture';
import { runValidation } from '../validate/support';
import { prove } from './proof-fixture';

const SQL_ASCII = `ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'`;
const UTF8 = `ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`;
const SCHEMA = `
  CREATE TABLE public.t (id text PRIMARY KEY, v text);
  CREATE TABLE public.whole (v text); ALTER TABLE public.whole REPLICA IDENTITY FULL;
  CREATE TABLE public.log (v text[]);
  INSERT INTO public.t SELECT 'row ' || n, 'v' FROM generate_series(1, 100) n`;

let fixture: ReplicationFixture;
afterEach(() => fixture.drop());

async function create(target: string): Promise<void> {
  fixture = await ReplicationFixture.create(14, 17, SCHEMA, { source: SQL_ASCII, target });
}

/** Bytes of no encoding in keys, whole rows and arrays, and texts that are UTF-8. */
async function write(client: Client): Promise<void> {
  await client.query(`INSERT INTO public.t VALUES (E'\\xe4', 'a'), (E'\\xff', E'\\xfe\\\\'), ('ü 🐘', 'ä')`);
  await client.query(`UPDATE public.t SET v = E'\\xc3\\x28' WHERE id < 'row 2' OR id > 'row 8'`);
  await client.query(
    `UPDATE public.t SET id = E'\\x80' WHERE id = E'\\xff'; DELETE FROM public.t WHERE id = 'ü 🐘'`,
  );
  await client.query(`INSERT INTO public.whole VALUES (E'\\xe4'), (E'\\xe5'), ('ü')`);
  await client.query(
    `UPDATE public.whole SET v = E'\\xe6' WHERE v = E'\\xe5'; DELETE FROM public.whole WHERE v = E'\\xe4'`,
  );
  await client.query(`INSERT INTO public.log VALUES (ARRAY[E'\\xe4"', NULL, 'ü'])`);
}

it('a source of SQL_ASCII reaches a target of SQL_ASCII byte by byte', async () => {
  await create(SQL_ASCII);
  const applier = fixture.run();
  await write(fixture.source);
  await fixture.caughtUp();
  await applier.stop();
  await fixture.expectEqual();
});

describe('on a target of UTF8', () => {
  it('what is UTF-8 is equal', async () => {
    await create(UTF8);
    const applier = fixture.run();
    await fixture.source.query(
      `INSERT INTO public.t VALUES ('ü 🐘', 'ä'); UPDATE public.t SET v = 'ö' WHERE id < 'row 2'`,
    );
    await fixture.caughtUp();
    await applier.stop();
    await fixture.expectEqual();
  });

  it('what is not is refused, and stops its table alone', async () => {
    await create(UTF8);
    const applier = fixture.run();
    await fixture.source.query(`INSERT INTO public.t VALUES ('before', 'v')`);
    await fixture.source.query(
      `INSERT INTO public.t VALUES ('x', E'\\xe4'); INSERT INTO public.whole VALUES (E'\\xff')`,
    );
    await fixture.source.query(`INSERT INTO public.log VALUES ('{after}')`);
    await fixture.caughtUp();
    await applier.stop();
    for (const table of ['public.t', 'public.whole']) {
      expect(await fixture.stateOf(table)).toMatchObject({
        stream_state: 'stopped',
        stopped_by: {
          code: 'DataRejected',
          sqlState: '22021',
          sentence: expect.stringMatching(/refused a value/) as string,
        },
      });
    }
    expect((await fixture.target.query(`SELECT FROM public.t WHERE id = 'x'`)).rowCount).toBe(0);
    expect((await fixture.target.query('SELECT FROM public.log')).rowCount).toBe(1);
  });

  it('the validation refuses it', async () => {
    await create(UTF8);
    await fixture.target.query(
      'DROP SCHEMA public CASCADE; DROP SCHEMA flexlift CASCADE; CREATE SCHEMA public',
    );
    const validation = await runValidation({ source: 14, target: 17, databases: [fixture.database] });
    expect(
      validation.findings.filter(({ rule, state }) => rule === 'encoding' && state === 'Failed'),
    ).toHaveLength(1);
  });
});

describe('the final comparison', () => {
  const compare = async () => {
    const { majors, database, identity } = fixture;
    const { signal } = new AbortController();
    const tableOids = [await fixture.oidOf('public.t')];
    return await withConnection(testEndpoint(majors.source, 'source'), database, signal, (source) =>
      withConnection(testEndpoint(majors.target, 'target'), database, signal, (target) =>
        finalCompare({ source, target, identity, signal, tableOids, onProgress: () => undefined }),
      ),
    );
  };

  it('finds rows again whose keys are no text of any encoding', async () => {
    await create(SQL_ASCII);
    await fixture.source.query(`INSERT INTO public.t VALUES (E'\\xe4', 'a')`);
    const applier = fixture.run();
    await fixture.caughtUp();
    expect(await prove(fixture, ['public.t'])).toMatchObject({ proven: 1 });
    await fixture.source.query(`UPDATE public.t SET v = 'b' WHERE id = E'\\xe4'`);
    await fixture.caughtUp();
    await applier.stop();
    expect(await compare()).toEqual([]);
    await fixture.target.query(`UPDATE public.t SET v = 'c' WHERE id = E'\\xe4'`);
    expect(await compare()).toMatchObject([{ object: '"public"."t"', keys: ['id = \\344 (differs)'] }]);
  });
});
