import { Pace } from '../../../postgres/copy';

beforeEach(() => jest.useFakeTimers({ now: 0 }));
afterEach(() => jest.useRealTimers());

const KB = 1_000;

test('what came too fast is waited for, less a tenth of a second', () => {
  const pace = new Pace(() => 100 * KB);
  pace.spend(60 * KB);
  expect(pace.wait).toBe(500);
  jest.advanceTimersByTime(500);
  expect(pace.wait).toBe(0);
  pace.spend(5 * KB);
  expect(pace.wait).toBeCloseTo(50);
});

test('time in which nothing came is not saved up', () => {
  const pace = new Pace(() => 100 * KB);
  pace.spend(KB);
  jest.advanceTimersByTime(60_000);
  pace.spend(110 * KB);
  expect(pace.wait).toBe(1_000);
});

test('a rate that changes holds for what was spent before, too', () => {
  let rate: number | undefined = 10 * KB;
  const pace = new Pace(() => rate);
  pace.spend(101 * KB);
  expect(pace.wait).toBe(10_000);
  rate = 100 * KB;
  expect(pace.wait).toBe(910);
  rate = undefined;
  expect(pace.wait).toBe(0);
  pace.spend(10 ** 9);
  expect(pace.wait).toBe(0);
  rate = 10 * KB;
  expect(pace.wait).toBe(0);
});
