import type { z } from 'zod';
import { RequestError } from './request-error';

const SHAPES: Record<string, string> = {
  object: 'an object',
  string: 'text',
  number: 'a whole number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
};

/** @throws RequestError, which names the first wrong field and never shows its value */
export function checkShape<T>(shape: z.ZodType<T>, value: unknown): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw issue === undefined ? result.error : requestError(issue, value);
}

function requestError(issue: z.core.$ZodIssue, options: unknown): RequestError {
  const path = issue.path.map(String);
  const option = path.join('.') || 'options';
  switch (issue.code) {
    case 'unrecognized_keys': {
      const unknown = [...path, issue.keys[0] ?? ''].join('.');
      return new RequestError(unknown, 'there is no such option.', 'Leave it out, or correct its spelling.');
    }
    case 'invalid_value':
      return new RequestError(
        option,
        'it has none of its values.',
        `Give ${issue.values.map(String).join(', ')}.`,
      );
    case 'invalid_type': {
      const shape = SHAPES[issue.expected] ?? issue.expected;
      if (isAbsent(options, path)) return new RequestError(option, 'it is missing.', 'Give it.');
      return new RequestError(option, `it must be ${shape}.`, 'Correct it.');
    }
    default:
      return new RequestError(option, `it ${issue.message}.`, 'Correct it.');
  }
}

function isAbsent(options: unknown, path: string[]): boolean {
  const value = path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[key] : undefined,
    options,
  );
  return value === undefined;
}
