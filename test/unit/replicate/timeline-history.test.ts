import { parseLsn } from '../../../postgres/replicate/lsn';
import { parseTimelineHistory } from '../../../postgres/replicate/pgoutput/timeline-history';

it('reads where each timeline was left, whatever was given as the reason', () => {
  const history = parseTimelineHistory(
    [
      '1\t0/3000060\tno recovery target specified',
      '',
      '2\t16/B374D848\tbefore 2026-01-01 00:00:00+00',
      '  # 9\t0/1\ta comment',
      '13\tFFFFFFFF/0\tat restore point "3\t0/7"',
      '',
    ].join('\n'),
  );
  expect(history).toEqual(
    new Map([
      [1, parseLsn('0/3000060')],
      [2, parseLsn('16/B374D848')],
      [13, parseLsn('FFFFFFFF/0')],
    ]),
  );
});

it('finds nothing in an empty one', () => {
  expect(parseTimelineHistory('')).toEqual(new Map());
});
