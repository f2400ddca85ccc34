import type { Client } from 'pg';

/**
 * Sessions share pieces of work: each takes the next one as soon as it has done one. After a failure none takes another,
 * and it is thrown when all have ended what they were at.
 */
export async function shareWork<T>(
  clients: Client[],
  pieces: Iterable<T>,
  work: (client: Client, piece: T) => Promise<void>,
): Promise<void> {
  const left = oneByOne(pieces);
  const takePieces = async (client: Client) => {
    // a loop that is left early closes the generator for the others, too
    for (const piece of left) await work(client, piece);
  };
  const ends = await Promise.allSettled(clients.map(takePieces));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

function* oneByOne<T>(pieces: Iterable<T>): Generator<T> {
  yield* pieces;
}
