import type { Client } from 'pg';
import { FlexliftError, type FenceMode } from '../../contract';
import { serverName } from '../connect';
import { readFence } from './fence';

/**
 * Somebody who lifted it in the middle of a cutover let writers in, and no marker tells of all that they wrote.
 *
 * @throws FlexliftError FenceBroken
 */
export async function refuseLiftedFence(client: Client, migrationId: string, mode: FenceMode): Promise<void> {
  if (mode === 'none' || (await readFence(client, migrationId))?.mode === mode) return;
  throw new FlexliftError({
    code: 'FenceBroken',
    sentence: 'The fence of the source was lifted before the cutover had ended.',
    remedy: 'Let it stand, and cut over again.',
    side: 'source',
    server: serverName(client),
    database: client.database,
  });
}
