import type { Client } from 'pg';
import { checksumTable, describeTable } from '../../../postgres/compare';
import { quoteQualified, withConnection } from '../../../postgres/connect';
import { createTestDatabase, dropTestDatabase, testEndpoint } from '../../support/servers';

const { signal } = new AbortController();

describe.each([11, 18] as const)('checksum of a table, PostgreSQL %i', (major) => {
  let database: string;
  beforeAll(async () => {
    database = await createTestDatabase(major, 'cmp_sum');
  });
  afterAll(() => dropTestDatabase(major, database));

  function inDatabase<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return withConnection(testEndpoint(major, 'target'), database, signal, work);
  }

  test('sees every change of one row, and no change of order', () =>
    inDatabase(async (client) => {
      const table = { schema: 'public', name: 'The "table"\n.🙂' };
      const name = quoteQualified(table.schema, table.name);
      await client.query(`CREATE TABLE ${name} (id int PRIMARY KEY, "A b" text, c text, "t" numeric)`);
      await client.query(
        `INSERT INTO ${name} VALUES (1, 'x', 'y', 1.0), (2, NULL, '', NULL), (3, 'x', 'x', 2)`,
      );
      const checksum = () => checksumTable({ client, table, signal });
      const original = await checksum();
      expect(original.rows).toBe('3');

      const changes = [
        `UPDATE ${name} SET "A b" = 'x ' WHERE id = 1`,
        `UPDATE ${name} SET "A b" = c, c = "A b" WHERE id = 1`,
        `UPDATE ${name} SET "A b" = '' WHERE id = 2`,
        `UPDATE ${name} SET "A b" = c, c = "A b" WHERE id = 2`,
        `UPDATE ${name} SET "t" = 1.00 WHERE id = 1`,
        `UPDATE ${name} SET "t" = 0 WHERE id = 2`,
        `UPDATE ${name} SET id = -1 WHERE id = 1`,
        `UPDATE ${name} SET c = (SELECT c FROM ${name} WHERE id = 4 - n.id) FROM ${name} n WHERE n.id = ${name}.id AND n.id <> 2`,
        `DELETE FROM ${name} WHERE id = 3`,
        `ALTER TABLE ${name} DROP CONSTRAINT ${quoteQualified('', table.name).slice(3).replace(/"$/, '_pkey"')};
         DELETE FROM ${name} WHERE id = 3; INSERT INTO ${name} SELECT * FROM ${name} WHERE id = 1`,
      ];
      const seen = new Set([original.checksum]);
      for (const change of changes) {
        await client.query(`BEGIN; ${change}`);
        seen.add((await checksum()).checksum);
        await client.query('ROLLBACK');
      }
      expect(seen.size).toBe(changes.length + 1);

      await client.query(
        `CREATE TABLE sorted AS SELECT * FROM ${name} ORDER BY id DESC`.replace('sorted', 'public.sorted'),
      );
      await client.query(`ALTER TABLE public.sorted DROP COLUMN c, ADD COLUMN c text`);
      await client.query(`UPDATE public.sorted s SET c = t.c FROM ${name} t WHERE t.id = s.id`);
      const sorted = await checksumTable({ client, table: { schema: 'public', name: 'sorted' }, signal });
      expect(sorted).toEqual(original);
    }));

  test('takes the rows of the table alone, and those of the condition', () =>
    inDatabase(async (client) => {
      await client.query(`
        CREATE TABLE public.parent (id int);
        CREATE TABLE public.child () INHERITS (public.parent);
        INSERT INTO public.parent SELECT pg_catalog.generate_series(1, 5);
        INSERT INTO public.child VALUES (6)`);
      const of = (name: string, condition?: string) =>
        checksumTable({ client, table: { schema: 'public', name }, condition, signal });
      expect((await of('parent')).rows).toBe('5');
      expect((await of('parent', 'id > 2')).rows).toBe('3');
      expect(await of('parent', 'id > 5')).toEqual({ rows: '0', checksum: '0' });
    }));

  test('takes arrays whose items are NULL no more for those that never were', () =>
    inDatabase(async (client) => {
      await client.query(`
        CREATE TABLE public.filled (n int, a int[], t text[], f float8[], d bool[]);
        INSERT INTO public.filled VALUES (1, '{1,NULL,3}', '{a,NULL}', '{NULL}', '{{NULL,t},{f,t}}');
        UPDATE public.filled SET a[2] = 2, t[2] = 'b', f[1] = 1, d[1][1] = true;
        CREATE TABLE public.full_ever (LIKE public.filled);
        INSERT INTO public.full_ever VALUES (1, '{1,2,3}', '{a,b}', '{1}', '{{t,t},{f,t}}')`);
      const of = (name: string) => checksumTable({ client, table: { schema: 'public', name }, signal });
      expect(await of('filled')).toEqual(await of('full_ever'));
      const first = await of('filled');
      await client.query('UPDATE public.filled SET a[2] = NULL');
      expect(await of('filled')).not.toEqual(first);
    }));

  test('takes every NaN for one value, as a copy in text does', () =>
    inDatabase(async (client) => {
      const infinity = `'Infinity'::pg_catalog.float8`;
      await client.query(`
        CREATE TABLE public.nan (f float8, list float8[], p point);
        INSERT INTO public.nan SELECT n, ARRAY[n, 1], pg_catalog.point(n, 1) FROM (SELECT ${infinity} - ${infinity} AS n) x`);
      const nan = () => checksumTable({ client, table: { schema: 'public', name: 'nan' }, signal });
      const computed = await nan();
      await client.query(`UPDATE public.nan SET f = 'NaN', list = '{NaN,1}', p = '(NaN,1)'`);
      expect(await nan()).toEqual(computed);
    }));

  test('takes generated columns', () =>
    inDatabase(async (client) => {
      const kind = major >= 18 ? 'VIRTUAL' : 'STORED';
      const generated = major >= 12 ? `, b int GENERATED ALWAYS AS (a * 2) ${kind}` : '';
      await client.query(`CREATE TABLE public.made (a int${generated}); INSERT INTO public.made VALUES (1)`);
      const columns = await describeTable(client, 'public', 'made');
      expect(columns.map((column) => column.name)).toEqual(major >= 12 ? ['a', 'b'] : ['a']);
      const made = await checksumTable({
        client,
        table: { schema: 'public', name: 'made' },
        columns,
        signal,
      });
      expect(made.rows).toBe('1');
    }));

  test('needs no column', () =>
    inDatabase(async (client) => {
      await client.query(`CREATE TABLE public.bare (); INSERT INTO public.bare DEFAULT VALUES`);
      const bare = () => checksumTable({ client, table: { schema: 'public', name: 'bare' }, signal });
      const one = await bare();
      await client.query(`INSERT INTO public.bare DEFAULT VALUES`);
      expect(await bare()).toEqual({ rows: '2', checksum: (BigInt(one.checksum) * 2n).toString() });
    }));

  test.each(['text', 'public.point3'])('takes 1,600 columns of %s', (type) =>
    inDatabase(async (client) => {
      await client.query(`DROP TABLE IF EXISTS public.wide; DROP TYPE IF EXISTS public.point3;
        CREATE TYPE public.point3 AS (x float4)`);
      const columns = Array.from(
        { length: type === 'public.point3' ? 1500 : 1600 },
        (_, index) => `c${index} ${type}`,
      );
      await client.query(`CREATE TABLE public.wide (${columns.join(', ')})`);
      await client.query(`INSERT INTO public.wide DEFAULT VALUES`);
      const wide = () => checksumTable({ client, table: { schema: 'public', name: 'wide' }, signal });
      const sums = new Set([(await wide()).checksum]);
      for (const column of ['c0', 'c64', `c${columns.length - 1}`]) {
        await client.query(
          `UPDATE public.wide SET ${column} = ${type === 'public.point3' ? `'(1)'` : `'0'`}`,
        );
        sums.add((await wide()).checksum);
      }
      expect(sums.size).toBe(4);
    }),
  );

  test('says which table is missing', async () => {
    const missing = inDatabase((client) => describeTable(client, 'public', 'no "table"'));
    await expect(missing).rejects.toMatchObject({
      fields: { code: 'StatementRejected', object: '"public"."no ""table"""' },
    });
  });
});
