import {
  ApplicationFailure,
  ActivityFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import { isFailureCode, type FailureFields } from '../contract';

/** What a failed step says to a person, out of Temporal's chain of causes. */
export function failureFields(error: unknown): FailureFields {
  const cause = rootFailure(error);
  if (cause instanceof ApplicationFailure && cause.type != null && isFailureCode(cause.type)) {
    const fields = cause.details?.[0] as FailureFields | undefined;
    if (fields !== undefined) return fields;
  }
  const sentence = cause instanceof Error ? cause.message : String(cause);
  return {
    code: 'Unexpected',
    sentence: sentence.endsWith('.') ? sentence : `${sentence}.`,
    remedy:
      cause instanceof TimeoutFailure
        ? 'Look at the worker of this step, then start the migration again: it goes on where it was.'
        : 'See the history of this workflow in the Temporal Web UI; starting the migration again goes on where it was.',
  };
}

/** Ends what it is thrown in, with this said of it. */
export function failed(fields: FailureFields): ApplicationFailure {
  return ApplicationFailure.create({
    message: fields.sentence,
    type: fields.code,
    nonRetryable: true,
    details: [fields],
  });
}

function rootFailure(error: unknown): unknown {
  if (
    (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) &&
    error.cause !== undefined
  ) {
    return rootFailure(error.cause);
  }
  return error;
}
