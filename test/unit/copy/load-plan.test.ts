import { boundedLimits, groupNumbers } from '../../../postgres/copy';
import { ctidRanges, evenBounds, pickBounds } from '../../../postgres/copy/part-ranges';

test('ctid ranges cover all pages once, open at both ends', () => {
  expect(ctidRanges(10, 3).ranges).toEqual([
    { from: undefined, to: '(3,0)' },
    { from: '(3,0)', to: '(6,0)' },
    { from: '(6,0)', to: undefined },
  ]);
});

test('no more ctid ranges than pages, and never none', () => {
  expect(ctidRanges(2, 9).ranges).toHaveLength(2);
  expect(ctidRanges(0, 9).ranges).toEqual([{ from: undefined, to: undefined }]);
});

test('bounds are spread over a histogram without its ends', () => {
  const values = Array.from({ length: 101 }, (_, index) => String(index));
  expect(pickBounds(values, 4)).toEqual(['25', '50', '75']);
  expect(pickBounds(['a', 'b'], 5)).toEqual([]);
  expect(pickBounds(['a', 'b', 'c'], 5)).toEqual(['b']);
});

test('equal ranges of integers, negative ones and the whole int8 included', () => {
  expect(evenBounds(-30_000n, 29_999n, 3)).toEqual(['-10001', '9999']);
  expect(evenBounds(5n, 5n, 4)).toEqual([]);
  expect(evenBounds(1n, 3n, 10)).toEqual(['2']);
  const [least, greatest] = [-(2n ** 63n), 2n ** 63n - 1n];
  expect(evenBounds(least, greatest, 2)).toEqual(['-1']);
});

test('groups are bounded by bytes and by number', () => {
  const tables = [90, 80, 30, 10, 0, 0, 0].map((bytes) => ({ bytes }));
  const numbers = groupNumbers(tables, { groupBytes: 100, groupTables: 3 }).map(([, group]) => group);
  expect(numbers).toEqual([1, 2, 3, 3, 3, 4, 4]);
});

test('parts and groups grow with the database, so that their number stays bounded', () => {
  const limits = { partBytes: 1_000, groupBytes: 500, groupTables: 10 };
  expect(boundedLimits(limits, { bytes: 10_000, tables: 10 })).toEqual(limits);
  expect(boundedLimits(limits, { bytes: 2_000_000, tables: 10 })).toEqual({
    partBytes: 10_000,
    groupBytes: 10_000,
    groupTables: 10,
  });
});

test('in a small database groups are smaller than asked, so that there is something to do side by side', () => {
  const megabyte = 1024 ** 2;
  const asked = { partBytes: 4_096 * megabyte, groupBytes: 256 * megabyte, groupTables: 500 };
  const bytes = (total: number) =>
    boundedLimits(asked, { bytes: total * megabyte, tables: 1 }).groupBytes / megabyte;
  expect([1, 512, 1_024, 4_096, 100_000].map(bytes)).toEqual([32, 32, 64, 256, 500]);
  const tables = (total: number) => boundedLimits(asked, { bytes: 1, tables: total }).groupTables;
  expect([1, 800, 1_600, 8_000, 100_000].map(tables)).toEqual([50, 50, 100, 500, 500]);
});
