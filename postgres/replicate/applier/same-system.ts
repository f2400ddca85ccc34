import { anotherServer } from '../pgoutput';
import type { StreamRow } from './ledger-position';

/** @throws FlexliftError SourceRewound */
export function checkSystem({ systemIdentifier }: Pick<StreamRow, 'systemIdentifier'>, found: string): void {
  // the ledger could not be read
  if (systemIdentifier === '' || found === systemIdentifier) return;
  throw anotherServer({ side: 'source' });
}
