import { batchRuns } from '../../../postgres/ledger';
import { commonRanges } from '../../../postgres/copy';

test('large objects are compared in ranges that are small on either side', () => {
  const open = { after: undefined, upTo: undefined };
  expect(commonRanges([open], [open])).toEqual([open]);
  expect(
    commonRanges([{ upTo: 5 }, { after: 5 }], [{ upTo: 3 }, { after: 3, upTo: 5 }, { after: 5 }]),
  ).toEqual([{ upTo: 3 }, { after: 3, upTo: 5 }, { after: 5 }]);
});

test('few batches stay as they are, many go together, and none is lost', () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  expect(batchRuns([])).toEqual([]);
  expect(batchRuns(numbers(200))).toEqual(numbers(200));
  const runs = batchRuns(numbers(17_001));
  expect(runs.length).toBeLessThanOrEqual(200);
  expect(runs[0]).toEqual([1, 86]);
  expect(runs.at(-1)).toEqual([16_943, 17_001]);
  expect(batchRuns([...numbers(200), 1_000])[100]).toEqual([1_000, 1_000]);
});
