import type { Client } from 'pg';
import { FlexliftError } from '../../contract';
import { serverName } from '../connect';

/** Why this source cannot be fenced as it stands. */
export function fenceRefused(client: Client, sentence: string, remedy: string): FlexliftError {
  return new FlexliftError({
    code: 'CutoverRefused',
    sentence,
    remedy,
    side: 'source',
    server: serverName(client),
    database: client.database,
  });
}
