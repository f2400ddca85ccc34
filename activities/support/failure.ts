import { ApplicationFailure } from '@temporalio/activity';
import { FlexliftError } from '../../contract';
import { mapPostgresError } from '../../postgres/connect';

/**
 * What the engine is told of a failure: its code as `type`, its fields as the first detail, and whether to try again.
 * The cause stays out: a driver's error may hold values of rows.
 */
export function toApplicationFailure(error: unknown): ApplicationFailure {
  const failure = error instanceof FlexliftError ? error : mapPostgresError(error, {});
  return ApplicationFailure.create({
    message: failure.message,
    type: failure.code,
    nonRetryable: failure.failureClass === 'permanent',
    details: [failure.fields],
  });
}
