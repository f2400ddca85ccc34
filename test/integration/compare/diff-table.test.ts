import type { Client } from 'pg';
import { differingKeys, firstDifferences } from '../../../postgres/compare';
import { withConnection } from '../../../postgres/connect';
import { createTestDatabase, dropTestDatabase, testEndpoint } from '../../support/servers';

const { signal } = new AbortController();

describe('first differences of a table, 11 against 18', () => {
  let databases: [string, string];
  beforeAll(async () => {
    databases = [await createTestDatabase(11, 'cmp_diff'), await createTestDatabase(18, 'cmp_diff')];
  });
  afterAll(async () => {
    await dropTestDatabase(11, databases[0]);
    await dropTestDatabase(18, databases[1]);
  });

  async function onBoth(
    setup: string,
    changeOnTarget: string,
    work: (source: Client, target: Client) => Promise<void>,
  ) {
    const setUp = (client: Client) => client.query(`DROP TABLE IF EXISTS public.t; ${setup}`);
    await withConnection(testEndpoint(11, 'target'), databases[0], signal, (source) =>
      withConnection(testEndpoint(18, 'target'), databases[1], signal, async (target) => {
        await setUp(source);
        await setUp(target);
        await target.query(changeOnTarget);
        await work(source, target);
      }),
    );
  }

  const table = { schema: 'public', name: 't' };

  test('names the keys of changed, lost and added rows', () =>
    onBoth(
      `CREATE TABLE public.t (a text, b int, v float8, PRIMARY KEY (b, a));
       INSERT INTO public.t SELECT 'k' || n, n, n / 3.0 FROM pg_catalog.generate_series(1, 20000) n`,
      `UPDATE public.t SET v = 0 WHERE b = 7; DELETE FROM public.t WHERE b = 8; INSERT INTO public.t VALUES ('x', 9, NULL)`,
      async (source, target) => {
        const found = await firstDifferences({ source, target, table, signal });
        expect(found).toMatchObject({ keyColumns: ['b', 'a'], complete: true });
        expect(differingKeys(found).sort()).toEqual([
          'b = 7, a = k7 (differs)',
          'b = 8, a = k8 (only on source)',
          'b = 9, a = x (only on target)',
        ]);
        const none = await firstDifferences({ source, target, table, condition: 'b > 10', signal });
        expect(none).toMatchObject({ rows: [], complete: true });
      },
    ));

  test('a duplicated row with another lost, in a table without a key', () =>
    onBoth(
      `CREATE TABLE public.t (a int, b text);
       INSERT INTO public.t SELECT n % 50, 'x' FROM pg_catalog.generate_series(1, 100) n`,
      `DELETE FROM public.t WHERE ctid = '(0,1)'; INSERT INTO public.t VALUES (2, 'x')`,
      async (source, target) => {
        const found = await firstDifferences({ source, target, table, signal });
        expect(found.keyColumns).toBeUndefined();
        expect(differingKeys(found).sort()).toEqual([
          'ctid (0,1), 2 times on the source and 1 times on the target (differs)',
          'ctid (0,2), 2 times on the source and 3 times on the target (differs)',
        ]);
      },
    ));

  test.each([
    ['UNIQUE (k)', undefined],
    ['NOT NULL UNIQUE (k)', ['k']],
    ['NOT NULL UNIQUE (k) DEFERRABLE', undefined],
    ['NOT NULL PRIMARY KEY (v) UNIQUE (k)', ['v']],
  ])('chooses the key of %s', (constraint, expected) =>
    onBoth(
      `CREATE TABLE public.t (k int ${constraint.includes('NOT NULL') ? 'NOT NULL' : ''}, v int,
        ${constraint.replace('NOT NULL', '').replace(/(?<=\)) (?=UNIQUE)/, ', ')});
       CREATE UNIQUE INDEX ON public.t (k) WHERE v > 0; CREATE UNIQUE INDEX ON public.t ((k + 1))`,
      'SELECT',
      async (source, target) => {
        const found = await firstDifferences({ source, target, table, signal });
        expect(found.keyColumns).toEqual(expected);
      },
    ),
  );

  test('where every row differs it stops at the limit, and keeps little in memory', () =>
    onBoth(
      `CREATE TABLE public.t (id int PRIMARY KEY, v text);
       INSERT INTO public.t SELECT n, pg_catalog.repeat('x', 200) FROM pg_catalog.generate_series(1, 200000) n`,
      `UPDATE public.t SET v = 'y'`,
      async (source, target) => {
        const before = process.memoryUsage().heapUsed;
        const found = await firstDifferences({ source, target, table, limit: 5, signal });
        expect(found.rows).toHaveLength(5);
        expect(found.complete).toBe(false);
        expect(found.rows.every((row) => row.state === 'differs')).toBe(true);
        expect(process.memoryUsage().heapUsed - before).toBeLessThan(40e6);
      },
    ));
});
