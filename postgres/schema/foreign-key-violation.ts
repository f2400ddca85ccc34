import { DatabaseError } from 'pg';
import { FlexliftError } from '../../contract';
import { quoteIdentifier, quoteQualified } from '../connect';

const FOREIGN_KEY_VIOLATION = '23503';

export function isForeignKeyViolation(error: unknown): error is FlexliftError {
  return error instanceof FlexliftError && error.fields.sqlState === FOREIGN_KEY_VIOLATION;
}

/** What the server says of a foreign key that is added speaks of an insert or an update that nobody made. */
export function foreignKeyViolated(cause: FlexliftError): FlexliftError {
  return new FlexliftError(
    {
      ...cause.fields,
      sentence: `${foreignKeyOf(cause)} does not hold: a row refers to one that is not there.`,
      remedy: 'Correct such rows or the foreign key on the source, and cut over again.',
    },
    { cause },
  );
}

function foreignKeyOf({ cause, fields }: FlexliftError): string {
  if (!(cause instanceof DatabaseError)) return fields.object ?? 'A foreign key';
  const { schema = '', table = '', constraint = '' } = cause;
  return `The foreign key ${quoteIdentifier(constraint)} of table ${quoteQualified(schema, table)}`;
}
