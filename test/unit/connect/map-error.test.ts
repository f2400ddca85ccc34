import { DatabaseError } from 'pg';
import { FAILURE_CLASSES, type FailureCode } from '../../../contract';
import { mapPostgresError } from '../../../postgres/connect';

function databaseError(sqlState: string, message: string): DatabaseError {
  const error = new DatabaseError(message, message.length, 'error');
  error.code = sqlState;
  return error;
}

test.each<[string, string, FailureCode]>([
  ['XX001', 'invalid page in block 7 of relation base/5/16384', 'DataRejected'],
  ['XX002', 'index "t_pkey" contains unexpected zero page at block 1', 'DataRejected'],
  ['XX000', 'invalid memory alloc request size 1200000003', 'DataRejected'],
  ['XX000', 'could not find pathkey item to sort', 'Unexpected'],
  ['57P01', 'terminating connection due to administrator command', 'ServerRestarting'],
  ['23505', 'duplicate key value violates unique constraint "k"', 'DataRejected'],
  ['22P02', 'invalid input syntax for type integer: "secret"', 'DataRejected'],
])('SQLSTATE %s: %s', (sqlState, message, code) => {
  const { fields } = mapPostgresError(databaseError(sqlState, message), { side: 'source' });
  expect(fields).toMatchObject({ code, side: 'source', sqlState });
  expect(fields.sentence).not.toContain('secret');
});

test('a lock table that is full is told from a disk that is, in whatever language', () => {
  const error = databaseError('53200', 'Shared Memory erschöpft');
  error.hint = 'Sie müssen möglicherweise max_locks_per_transaction erhöhen.';
  const { fields } = mapPostgresError(error, { side: 'target' });
  expect(fields).toMatchObject({ code: 'ResourceExhausted' });
  expect(fields.remedy).toMatch(/^Raise max_locks_per_transaction/);
  expect(mapPostgresError(databaseError('53100', 'disk full'), {}).fields.remedy).toMatch(/^Free space/);
});

test('what no retry mends stops, and says what to do', () => {
  const { fields } = mapPostgresError(databaseError('XX001', 'invalid page in block 7'), { side: 'source' });
  expect(FAILURE_CLASSES[fields.code]).toBe('permanent');
  expect(fields.remedy).toMatch(/restore it from a backup/);
});
