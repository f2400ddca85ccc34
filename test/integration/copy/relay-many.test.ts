import type { Client } from 'pg';
import { relayCopies, type CopyPair, type RelayProgress } from '../../../postgres/copy';
import { never, Pair } from './fixture';

let pair: Pair;

beforeAll(async () => {
  pair = await Pair.create(14, 17);
  await pair.both(
    'CREATE TABLE none (id int); CREATE TABLE small (id int, v text); CREATE TABLE wide (id int, v text)',
  );
  await pair.sql('source', `INSERT INTO small SELECT g, 'v' || g FROM generate_series(1, 10) g`);
  await pair.sql('source', `INSERT INTO wide SELECT g, repeat('x', 1000) FROM generate_series(1, 20000) g`);
});

afterEach(() => pair.sql('target', 'TRUNCATE none, small, wide'));

afterAll(() => pair.drop());

function copyOf(table: string, rows = `public.${table}`, format = 'binary'): CopyPair {
  return {
    copyTo: `COPY ${rows} TO STDOUT (FORMAT ${format})`,
    copyFrom: `COPY public.${table} FROM STDIN (FORMAT ${format})`,
    object: table,
  };
}

async function withClients(work: (source: Client, target: Client) => Promise<void>): Promise<void> {
  await pair.session('source', (source) => pair.session('target', (target) => work(source, target)));
}

async function expectUsable(client: Client): Promise<void> {
  const { rows } = await client.query('SELECT 42 AS answer');
  expect(rows).toEqual([{ answer: 42 }]);
}

async function targetCounts(): Promise<unknown> {
  const [counts] = await pair.sql(
    'target',
    `SELECT (SELECT count(*)::int FROM none) AS none, (SELECT count(*)::int FROM small) AS small,
            (SELECT count(*)::int FROM wide) AS wide`,
  );
  return counts;
}

test('several tables, of any size and format, arrive in their order, each with its own amounts', async () => {
  await withClients(async (source, target) => {
    const said: RelayProgress[] = [];
    const copies = [copyOf('none'), copyOf('wide'), copyOf('small', 'public.small', 'text'), copyOf('none')];
    const found = await relayCopies({
      ...{ source, target, copies, signal: never },
      onProgress: (progress) => said.push(progress),
    });
    expect(found.map(({ rows }) => rows)).toEqual([0, 20_000, 10, 0]);
    expect(found[1]?.bytes).toBeGreaterThan(20_000_000);
    expect(found[2]?.bytes).toBe('1\tv1\n'.length * 9 + '10\tv10\n'.length);
    expect(new Set(said.map(({ object }) => object))).toEqual(new Set(['none', 'wide', 'small']));
    expect(said.at(-1)?.bytes).toBe(found.reduce((sum, { bytes }) => sum + bytes, 0));
    await expectUsable(source);
    await expectUsable(target);
  });
  expect(await targetCounts()).toEqual({ none: 0, small: 10, wide: 20_000 });
});

test.each([0, 1, 2])(
  'what the source refuses at place %i is named, and both sessions go on',
  async (place) => {
    await withClients(async (source, target) => {
      const copies = [copyOf('none'), copyOf('small'), copyOf('wide')];
      const broken = copies[place]?.object ?? '';
      copies[place] = copyOf(broken, '(SELECT 1 / 0)');
      const copying = relayCopies({ source, target, copies, signal: never });
      await expect(copying).rejects.toMatchObject({
        fields: { side: 'source', sqlState: '22012', object: broken },
      });
      await expectUsable(source);
      await expectUsable(target);
    });
    expect(await targetCounts()).toEqual({ none: 0, small: 0, wide: 0 });
  },
);

test.each([0, 1, 2])('what the target refuses at place %i is named', async (place) => {
  await withClients(async (source, target) => {
    const copies = [copyOf('none'), copyOf('small'), copyOf('wide')];
    const broken = copies[place] ?? copyOf('none');
    copies[place] = { ...broken, copyFrom: 'COPY public.missing FROM STDIN' };
    const copying = relayCopies({ source, target, copies, signal: never });
    await expect(copying).rejects.toMatchObject({
      fields: { side: 'target', sqlState: '42P01', object: broken.object },
    });
  });
  expect(await targetCounts()).toEqual({ none: 0, small: 0, wide: 0 });
});
