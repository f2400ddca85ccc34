import { FlexliftError, type FailureCode, type MigrationStatus } from '../../../contract';
import { NameTakenError, RequestError } from '../../../client';
import { errorText } from '../../../cli/commands/common';
import { exitCodeOfError, exitCodeOfStatus, UsageError } from '../../../cli/exit-code';

function status(change: object): MigrationStatus {
  return { state: 'Failed', databases: [], ...change } as unknown as MigrationStatus;
}

const failure = (code: FailureCode) => ({ code, sentence: 'S.', remedy: 'R.' });

test.each([
  [{ state: 'Succeeded' }, 0],
  [{ state: 'Failed', failure: failure('PermissionDenied') }, 1],
  [{ state: 'Canceled' }, 1],
  [{ state: 'ValidationFailed' }, 3],
  [{ state: 'Failed', failure: failure('DifferenceFound') }, 4],
  [{ state: 'SucceededUnverified' }, 6],
])('a migration %j ends with %d', (change, code) => expect(exitCodeOfStatus(status(change))).toBe(code));

test('a difference beside another failure is a failure', () => {
  const databases = [{ failure: failure('DifferenceFound') }, { failure: failure('SchemaDrift') }];
  expect(exitCodeOfStatus(status({ failure: failure('DifferenceFound'), databases }))).toBe(1);
  expect(
    exitCodeOfStatus(status({ failure: failure('DifferenceFound'), databases: [databases[0], {}] })),
  ).toBe(4);
});

test.each([
  [new UsageError('x'), 2],
  [Object.assign(new Error('Aborted with Ctrl+C'), { name: 'AbortError' }), 130],
  [new RequestError('name', 'is bad.', 'Mend it.'), 2],
  [new NameTakenError('overwrite', 'Taken.', 'Another.'), 2],
  [new FlexliftError(failure('TemporalUnreachable')), 5],
  [new FlexliftError(failure('NoWorker')), 5],
  [new FlexliftError(failure('MigrationUnknown')), 1],
  [new Error('x'), 1],
  ['x', 1],
])('the error %s ends with %d', (error, code) => expect(exitCodeOfError(error)).toBe(code));

test.each([
  [
    new RequestError('limits.copiesAtOnce', 'it must be at least 1.', 'Correct it.'),
    '--copies: limits.copiesAtOnce: it',
  ],
  [new RequestError('source.port', 'it must be a number.', 'Correct it.'), '--source: source.port: it'],
  [new RequestError('databases.0', 'it must not be empty.', 'Correct it.'), '--database: databases.0: it'],
  [
    new NameTakenError('noOwner', 'Taken with another noOwner.', 'x'),
    '--no-owner: Taken with another noOwner.',
  ],
  [new RequestError('timeouts.long', 'it must be.', 'Correct it.'), '--timeout long=…: timeouts.long: it'],
])('an error of the client names the flag', (error, text) => expect(errorText(error)).toContain(text));
