import type { MigrationHandle } from '../../client';
import { unlessInterrupted } from '../session';

/** Waits until it is accepted, or Ctrl-C comes: `signal` tells which. */
export async function acceptDrift(
  handle: MigrationHandle,
  databases: string[] | undefined,
  signal: AbortSignal,
): Promise<void> {
  const accept = async () => {
    const accepted = await handle.acceptDrift({ databases });
    await accepted.result({ signal });
  };
  await unlessInterrupted(signal, accept());
}
