import { hasCopied, isPlanOfToday } from '../../../postgres/copy';
import { Pair } from './fixture';

let pair: Pair;

beforeEach(async () => {
  pair = await Pair.create(14, 17);
  await pair.both('CREATE TABLE kept (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)');
  await pair.sql('source', 'INSERT INTO kept VALUES (1)');
});
afterEach(() => pair.drop());

const copied = () => pair.session('target', hasCopied);
const isOfToday = () =>
  pair.session('source', (source) => pair.session('target', (target) => isPlanOfToday(source, target)));

test('what is planned is worth nothing, what is copied is', async () => {
  await pair.withScope((scope) => pair.plan(scope));
  expect(await copied()).toBe(false);
  await pair.sql('target', 'UPDATE flexlift.part SET copied_at = now()');
  expect(await copied()).toBe(true);
});

test.each([
  ['nothing', 'SELECT 1', true],
  ['rows', 'INSERT INTO kept VALUES (2)', true],
  ['a new table', 'CREATE TABLE fresh (id int)', false],
  ['a renamed table', 'ALTER TABLE kept RENAME TO renamed', false],
  ['a new column', 'ALTER TABLE kept ADD more text', false],
])('a plan after %s', async (_what, change, expected) => {
  await pair.withScope((scope) => pair.plan(scope));
  await pair.sql('source', change);
  expect(await isOfToday()).toBe(expected);
});
