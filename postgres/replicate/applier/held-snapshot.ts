import { withConnection, type Endpoint } from '../../connect';
import { exportSnapshot } from '../../copy';
import { inSnapshot } from '../../ledger';

/** A snapshot of the target that another session may import for as long as this one lives. */
export interface HeldSnapshot {
  snapshot: string;
  /** False once its session has ended, by whatever. */
  isAlive(): boolean;
  close(): Promise<void>;
}

/** Opens a session of its own, whose transaction keeps the snapshot. */
export async function holdSnapshot(
  target: Endpoint,
  database: string,
  signal: AbortSignal,
): Promise<HeldSnapshot> {
  let isAlive = true;
  let close: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (close = resolve));
  let session: Promise<void> = closed;
  const snapshot = await new Promise<string>((resolve, reject) => {
    session = withConnection(target, database, signal, async (client) => {
      client.once('end', close);
      await inSnapshot(client, async () => {
        resolve(await exportSnapshot(client));
        await closed;
      });
    })
      .catch(reject)
      .finally(() => (isAlive = false));
  });
  return {
    snapshot,
    isAlive: () => isAlive,
    close: async () => {
      close();
      await session;
    },
  };
}
