import { entryBatches } from '../../../postgres/schema/entry-batches';

const MEGABYTE = 1024 ** 2;

function entry(description: string, megabytes: number | null) {
  return { description, bytes: megabytes === null ? null : megabytes * MEGABYTE };
}

function sizes(entries: ReturnType<typeof entry>[], online = false): number[] {
  return [...entryBatches(entries, { online })].map((batch) => batch.length);
}

test('a hundred entries at most share a transaction', () => {
  expect(sizes(Array.from({ length: 250 }, () => entry('TABLE', null)))).toEqual([100, 100, 50]);
  expect(sizes([])).toEqual([]);
});

test('what reads tables shares one as long as they are small together', () => {
  expect(sizes([30, 30, 30, 1].map((size) => entry('INDEX', size)))).toEqual([2, 2]);
  expect(sizes([entry('TABLE', 100), entry('CONSTRAINT', 1), entry('COMMENT', 100)])).toEqual([3]);
});

test('what reads a large table, or one of unknown size, is alone', () => {
  expect(
    sizes([entry('COMMENT', null), entry('INDEX', 65), entry('COMMENT', null), entry('INDEX', 1)]),
  ).toEqual([1, 1, 2]);
  expect(sizes([entry('FK CONSTRAINT', null), entry('CHECK CONSTRAINT', 1)])).toEqual([1, 1]);
});

test('while changes are applied a foreign key is alone', () => {
  const keys = [entry('FK CONSTRAINT', 1), entry('FK CONSTRAINT', 1), entry('INDEX', 1)];
  expect(sizes(keys)).toEqual([3]);
  expect(sizes(keys, true)).toEqual([1, 1, 1]);
});
