import { commonRanges } from '../../../postgres/copy';

test('large objects are compared in ranges that are small on either side', () => {
  const open = { after: undefined, upTo: undefined };
  expect(commonRanges([open], [open])).toEqual([open]);
  expect(
    commonRanges([{ upTo: 5 }, { after: 5 }], [{ upTo: 3 }, { after: 3, upTo: 5 }, { after: 5 }]),
  ).toEqual([{ upTo: 3 }, { after: 3, upTo: 5 }, { after: 5 }]);
});
