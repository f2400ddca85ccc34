import { FlexliftError } from '../../../contract';
import type { StreamRow } from './ledger-position';

/**
 * The names are the same, the server is not: nothing that the ledger says of positions holds there.
 *
 * @throws FlexliftError SourceRewound
 */
export function checkSystem({ systemIdentifier }: Pick<StreamRow, 'systemIdentifier'>, found: string): void {
  // the ledger could not be read
  if (systemIdentifier === '' || found === systemIdentifier) return;
  throw new FlexliftError({
    code: 'SourceRewound',
    sentence: 'The source is another server than the one this migration was started from.',
    remedy:
      'Point the source at that server, or run flexlift recopy to copy the tables anew with a new slot.',
    side: 'source',
  });
}
