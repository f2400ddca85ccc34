import { lackOfRoom } from '../../../postgres/validate/rules/room-for-locks';

// 100 connections and 22 other processes with 64 locks each, as initdb leaves them
const room = { perTransaction: 64, locks: 7_808 };

test.each([
  [0, undefined],
  [6_246, undefined],
  [6_247, 'Warning'],
  [8_588, 'Warning'],
  [8_589, 'Failed'],
  [10_000, 'Failed'],
] as const)('%i tables: %s', (tables, state) => {
  expect(lackOfRoom({ objects: tables, tables, ...room }).map((verdict) => verdict.state)).toEqual(
    state ? [state] : [],
  );
});

test('says a setting that is enough', () => {
  const [verdict] = lackOfRoom({ objects: 10_000, tables: 10_000, ...room });
  expect(verdict?.message).toContain('room for about 7808 locks, and the database has 10000 tables');
  expect(verdict?.remedy).toBe('Set max_locks_per_transaction on the source to 103 or more and restart it.');
  expect(lackOfRoom({ objects: 10_000, tables: 10_000, perTransaction: 103, locks: 103 * 122 })).toEqual([]);
});
