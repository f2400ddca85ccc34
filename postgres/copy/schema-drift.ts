import { FlexliftError, type FailurePlace } from '../../contract';

/** The source's tables are not those that the load was planned for. */
export function schemaDrift(sentence: string, place: FailurePlace): FlexliftError {
  return new FlexliftError({
    code: 'SchemaDrift',
    sentence,
    remedy: 'Leave the schema of the source alone while it is migrated; start the migration anew.',
    ...place,
  });
}
