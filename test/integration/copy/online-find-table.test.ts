import { findTable } from '../../../postgres/ledger';
import { OnlinePair } from './online-fixture';

let online: OnlinePair;

afterAll(async () => {
  await online.drop();
});

async function found(text: string): Promise<string> {
  return await online.pair.session('target', async (target) => {
    const { schema, name } = await findTable(target, text);
    return `${schema}|${name}`;
  });
}

beforeAll(async () => {
  online = await OnlinePair.create(15, 17);
  await online.pair.sql(
    'source',
    `CREATE SCHEMA sales; CREATE SCHEMA "Sales"; CREATE SCHEMA "a.b";
       CREATE TABLE sales.orders (); CREATE TABLE "Sales"."Order lines" (); CREATE TABLE sales.twin ();
       CREATE TABLE public.twin (); CREATE TABLE "a.b"."c""d🐘" (); CREATE TABLE public."Twin" ();
       CREATE TABLE public.größe ()`,
  );
  await online.plan();
});

test('a table that a person names is found', async () => {
  expect(await found('orders')).toBe('sales|orders');
  expect(await found(' SALES . Orders ')).toBe('sales|orders');
  expect(await found('"Sales"."Order lines"')).toBe('Sales|Order lines');
  expect(await found('Sales.Order lines')).toBe('Sales|Order lines');
  expect(await found('"Order lines"')).toBe('Sales|Order lines');
  expect(await found('"Twin"')).toBe('public|Twin');
  expect(await found('public.twin')).toBe('public|twin');
  expect(await found('"a.b"."c""d🐘"')).toBe('a.b|c"d🐘');
  expect(await found('größe')).toBe('public|größe');
});

test.each([
  ['twin', ['"public"."twin"', '"sales"."twin"']],
  ['order', ['"sales"."orders"', '"Sales"."Order lines"']],
  ['public.orders', ['"sales"."orders"']],
  ['nowhere', ['sales.orders']],
  ['', ['no table ""']],
  [`orders'; DROP`, ['"sales"."orders"']],
])('or else candidates are: %s', async (text, candidates) => {
  const error = await found(text).catch((caught: unknown) => caught);
  expect(error).toMatchObject({ code: 'InvalidRequest' });
  for (const candidate of candidates) expect(String(error)).toContain(candidate);
});
