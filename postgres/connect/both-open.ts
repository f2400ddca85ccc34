import type { Client } from 'pg';

/** Opens a session and closes it, as `withConnection` does. */
type Opening = <R>(work: (client: Client) => Promise<R>) => Promise<R>;

/**
 * Runs `work` with a session on either side, both opened at the same time: where an application waits, the round trips
 * to open one count.
 *
 * @throws whatever opening or `work` throws
 */
export async function whileBothOpen<T>(
  openSource: Opening,
  openTarget: Opening,
  work: (source: Client, target: Client) => Promise<T>,
): Promise<T> {
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  let holding: Promise<unknown> = Promise.resolve();
  const source = new Promise<Client>((resolve, reject) => {
    holding = openSource(async (client) => {
      resolve(client);
      await ended;
    }).catch(reject);
  });
  source.catch(() => undefined);
  try {
    return await openTarget(async (target) => work(await source, target));
  } finally {
    end();
    await holding;
  }
}
